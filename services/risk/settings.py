"""Settings of risk beyond those that every service has."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from shared.contracts.http.risk_sources import Source
from shared.kit.settings import Settings


class RiskSettings(Settings):
    service: str = "risk"
    max_body_bytes: int = Field(default=5 * 2**20, ge=1024)
    """A model of 3 MiB comes in one body, written in base64, with its manifest."""
    artifacts_dir: Path = Path(__file__).parent / "artifacts"
    """The models that come with the release: what the registry of a new bank begins with."""
    model_check_every_s: float = Field(default=1.0, gt=0)
    """How often the registry is looked at; what has changed is checked and takes over."""
    decision_deadline_ms: float = Field(default=50.0, gt=0)
    """A payment that takes longer to decide on is not approved: a person looks at it."""
    windows_behind_after_s: float = Field(default=5.0, gt=0)
    """The bus read longer ago than this leaves decisions flagged and the rules stricter."""
    snapshot_dir: Path | None = None
    """Where the snapshot of the windows is kept; without one a start reads the whole bus."""
    snapshot_every_s: float = Field(default=300.0, gt=0)
    desk_url: str = "http://127.0.0.1:8080"
    """The origin under which staff reaches the desk; with `https`, its cookies are Secure."""
    source_urls: dict[Source, AnyHttpUrl] = Field(default_factory=dict)
    """Where each outside source is asked; one that is not named is always unavailable."""
    source_keys: dict[Source, SecretStr] = Field(default_factory=dict)
    """The bank's key at each of these sources."""
    source_timeouts_ms: dict[Source, Annotated[int, Field(ge=10, le=8_000)]] = Field(
        default_factory=dict
    )
    """How long one source may take, where that is not what the table of sources says."""
    sources_deadline_ms: int = Field(default=1_500, ge=50, le=8_000)
    """The longest that one decision waits for all of its sources together."""
    source_breaker_open_s: float = Field(default=10.0, gt=0)
    """How long a source that failed again and again is left alone at first."""

    @model_validator(mode="after")
    def _keys_for_all(self) -> Self:
        if set(self.source_urls) - set(self.source_keys):
            raise ValueError("source_keys: a key for each source of source_urls")
        return self
