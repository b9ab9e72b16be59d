"""Settings of the simulated sources. No key has a default: without one nothing starts."""

import os
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

#: Shorter ones could be guessed.
LEAST_KEY = 24
Bank = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Key = Annotated[SecretStr, Field(min_length=LEAST_KEY, max_length=200)]


class BureauSettings(BaseSettings):
    """From the environment, or from one file each in the folder `SECRETS_DIR`."""

    model_config = SettingsConfigDict(
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        secrets_dir=os.environ.get("SECRETS_DIR"),
        hide_input_in_errors=True,
    )

    bureau_keys: dict[Bank, Key] = Field(min_length=1)
    """The API key of each bank that may ask, by its name."""
    bureau_admin_key: Key
    """Who holds it may make the sources fail."""
    bureau_seed: int = 1
    host: str = "127.0.0.1"
    port: int = Field(default=8088, ge=1, le=65535)
