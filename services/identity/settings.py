"""What identity takes from the environment."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kit.settings import SECRETS_DIR, Settings


class IdentitySettings(Settings):
    service: str = "identity"
    #: A thousand customers or reference records in one request.
    max_body_bytes: int = Field(default=4_194_304, ge=1_024)
    messages_file: Path | None = None
    """Codes for customers go here, as JSON lines: the phone of a demo. Unset: none are sent."""
    codes_per_window: int = Field(default=10, ge=1)
    """One-time codes that one customer may be sent in ten minutes."""


class BootstrapSettings(BaseSettings):
    """What the first admin's command needs: the database alone."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, secrets_dir=SECRETS_DIR)

    database_url: SecretStr
