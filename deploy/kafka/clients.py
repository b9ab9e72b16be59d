"""How an operator's program reaches a Kafka: its settings by the names that the services know."""

from collections.abc import Mapping
from typing import Any

#: What kafka-python calls what the environment names.
NAMES = {
    "KAFKA_SECURITY_PROTOCOL": "security_protocol",
    "KAFKA_SASL_MECHANISM": "sasl_mechanism",
    "KAFKA_SASL_USERNAME": "sasl_plain_username",
    "KAFKA_SASL_PASSWORD": "sasl_plain_password",
    "KAFKA_SSL_CAFILE": "ssl_cafile",
    "KAFKA_SSL_CERTFILE": "ssl_certfile",
    "KAFKA_SSL_KEYFILE": "ssl_keyfile",
}
SERVERS = "KAFKA_BOOTSTRAP_SERVERS"


def client_options(settings: Mapping[str, str]) -> dict[str, Any]:
    """Arguments for a client of kafka-python; `settings` hold KAFKA_BOOTSTRAP_SERVERS at least."""
    named = {own: settings[name] for name, own in NAMES.items() if settings.get(name)}
    return named | {
        "bootstrap_servers": settings[SERVERS].split(","),
        "client_id": "tongbao-operator",
        "bootstrap_timeout_ms": 5_000,
    }
