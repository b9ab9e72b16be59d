"""Settings of profiles: none beyond those that every service has."""

from shared.kit.settings import Settings


class ProfilesSettings(Settings):
    service: str = "profiles"
