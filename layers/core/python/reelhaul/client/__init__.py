"""A typed client of the service, synchronous (`Client`) and for asyncio (`AsyncClient`).

with Client("https://...", "sk-...") as reelhaul:
    path = reelhaul.fetch("https://example.com/a.mp4", "downloads", quality="720p")
"""

from reelhaul.client.aio import AsyncClient
from reelhaul.client.calls import Clip, Options
from reelhaul.client.errors import (
    BadAddress,
    BadKey,
    BadProxy,
    Broken,
    ClientError,
    Conflict,
    DownloadFailed,
    FileDamaged,
    KeyRefused,
    LimitReached,
    NotFound,
    NotReelhaul,
    Refused,
    StillRunning,
    Unavailable,
    Unreachable,
)
from reelhaul.client.jobs import Item, Job, Page, ServiceInfo, Status, Subtitles
from reelhaul.client.naming import Overwriting
from reelhaul.client.sync import Client

__all__ = [
    "AsyncClient", "BadAddress", "BadKey", "BadProxy", "Broken", "Client", "ClientError", "Clip", "Conflict",
    "DownloadFailed", "FileDamaged", "Item", "Job", "KeyRefused", "LimitReached", "NotFound", "NotReelhaul", "Options",
    "Overwriting", "Page", "Refused", "ServiceInfo", "Status", "StillRunning", "Subtitles", "Unavailable",
    "Unreachable",
]  # fmt: skip
