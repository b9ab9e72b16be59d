"""Settings of profiles."""

from shared.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    service: str = "profiles"
