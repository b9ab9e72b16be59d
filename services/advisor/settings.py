"""Settings of the advisor: none beyond those that every service has."""

from shared.kit.settings import Settings


class AdvisorSettings(Settings):
    service: str = "advisor"
