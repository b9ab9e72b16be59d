"""Settings that every service has, from the environment, and secrets from files if one likes."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_DIR = os.environ.get("SECRETS_DIR")
"""A folder with a file a secret, named as its field (`database_url`); the environment goes first.
A file is not passed on to child processes and does not show in a list of containers."""


class Settings(BaseSettings):
    """Base of each service's settings; a subclass fixes `service` and adds its own fields."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, secrets_dir=SECRETS_DIR
    )

    service: str
    database_url: SecretStr
    """`postgresql+asyncpg://…`, as the service's least-privileged role."""
    database_pool: int = Field(default=10, ge=1, le=200)
    bus: Literal["postgres", "kafka"] = "postgres"
    bus_url: SecretStr | None = None
    """The event log's database where `bus` is `postgres`."""
    kafka_bootstrap_servers: str | None = None
    """`host:port`, one or several with commas between, where `bus` is `kafka`."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: str | None = None
    """Who signed the brokers' certificates; the system's own authorities where it is not set."""
    kafka_ssl_certfile: str | None = None
    """The client's own certificate and, in `kafka_ssl_keyfile`, its key, where brokers ask."""
    kafka_ssl_keyfile: str | None = None
    keys_dir: Path
    """Holds `<service>.json`, this service's private keys, and `public.json`, everybody's."""
    peers: dict[str, str] = Field(default_factory=dict)
    """Base URL of each service that this one calls, by name."""
    role: Literal["all", "api", "worker"] = "all"
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    log_file: Path | None = None
    """JSON lines go here; to standard output where it is not set."""
    max_body_bytes: int = Field(default=65_536, ge=1_024)
    request_timeout_ms: int = Field(default=10_000, ge=100)
    """The longest that one request may take where its caller set no deadline."""
    max_concurrency: int = Field(default=256, ge=1)
    """Requests under way at once; one more is told to come again."""
    outbox_retention_days: int = Field(default=7, ge=1)
    """How long published outbox rows and handled inbox rows are kept for the checker."""
