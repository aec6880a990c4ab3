"""A source that objects to several connections is asked by one from then on, also by whoever goes on with the job."""

from typing import Any

from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError

CONNECTIONS = "_reelhaul_connections"  # in yt-dlp's parameters: how many a track may have at once
_HEARD = "_reelhaul_objection"
STATUSES = {403, 429, 503}


def connections(params: dict[str, Any]) -> int:
    return int(params.get(CONNECTIONS, 1))


def heed(params: dict[str, Any]) -> None:
    """For all that is asked for with these parameters."""
    params[_HEARD], params[CONNECTIONS] = True, 1


def was_heard(params: dict[str, Any]) -> bool:
    return bool(params.get(_HEARD))


def is_one(error: BaseException) -> bool:
    """Whether a source that allows fewer connections might say this."""
    said = reply(error)
    return said is not None and said.status in STATUSES


def says_when(error: BaseException) -> bool:
    """Whether the source asks not to be asked again before a time (RFC 9110, 10.2.3)."""
    said = reply(error)
    return said is not None and bool(said.response.headers.get("Retry-After"))


def reply(error: BaseException) -> HTTPError | None:
    """What a source has answered, as a downloader hands it on."""
    cause = error.exc_info[1] if isinstance(error, DownloadError) and error.exc_info else error
    return cause if isinstance(cause, HTTPError) else None


class Heeding:
    """The `ydl` of a downloader, with an ear for what a source answers while several connections are there."""

    def __init__(self, ydl: Any, params: dict[str, Any]) -> None:
        self._ydl, self._params = ydl, params

    def urlopen(self, request: Any) -> Any:
        try:
            return self._ydl.urlopen(request)
        except HTTPError as error:
            if error.status in STATUSES and connections(self._params) > 1:
                heed(self._params)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ydl, name)
