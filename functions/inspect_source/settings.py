"""What this function is told by its environment."""

import dataclasses

from reelhaul.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InspectSettings(Settings):
    """For the function that looks at a source without downloading it."""

    allowed_origins: frozenset[str] = frozenset()  # as the downloader's
    allowed_sites: frozenset[str] = frozenset()
    denied_sites: frozenset[str] = frozenset()
    max_bytes: int = 64 * 1024**2  # of pages and manifests
    work_directory: str = "/tmp"  # noqa: S108 - as the downloader's
    require_seccomp: bool = False  # as the downloader's
