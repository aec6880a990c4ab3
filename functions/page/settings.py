"""What this function is told by its environment."""

import dataclasses

from reelhaul.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings(Settings):
    """For the function that serves the page."""

    link_origin: str  # where links lead: scheme and host, and no path
    aws_endpoint_url: str | None = None  # the embedded engine's, which tells it all its functions
