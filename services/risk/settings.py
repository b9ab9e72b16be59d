"""Settings of risk beyond those that every service has."""

from pathlib import Path

from pydantic import Field

from shared.kit.settings import Settings


class RiskSettings(Settings):
    service: str = "risk"
    max_body_bytes: int = Field(default=640 * 1024, ge=1024)
    """A policy's graph and its tests, 256 KiB each, come in one body."""
    artifacts_dir: Path = Path(__file__).parent / "artifacts"
    """The folder of `fraud.onnx` and `fraud.json`."""
    windows_behind_after_s: float = Field(default=5.0, gt=0)
    """The bus read longer ago than this leaves decisions flagged and the rules stricter."""
    snapshot_dir: Path | None = None
    """Where the snapshot of the windows is kept; without one a start reads the whole bus."""
    snapshot_every_s: float = Field(default=300.0, gt=0)
    desk_url: str = "http://127.0.0.1:8080"
    """The origin under which staff reaches the desk; with `https`, its cookies are Secure."""
