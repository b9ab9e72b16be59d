"""Settings of the advisor."""

from shared.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    service: str = "advisor"
