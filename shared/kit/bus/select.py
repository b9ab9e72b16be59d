"""Which bus runs is a setting."""

from shared.kit.bus.port import Bus
from shared.kit.bus.postgres import PostgresBus
from shared.kit.settings import Settings


def open_bus(settings: Settings, *, application: str) -> Bus:
    """The bus that `settings` name; it connects at its first use.

    Raises:
        ValueError: the settings name a bus without its address.
    """
    if settings.bus == "kafka":
        from shared.kit.bus.kafka import KafkaBus  # a process without Kafka need not load it

        return KafkaBus(settings, application=application)
    if settings.bus_url is None:
        raise ValueError("BUS_URL must name the event log's database")
    return PostgresBus(settings.bus_url.get_secret_value(), application=application)
