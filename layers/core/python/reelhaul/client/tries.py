"""How long a file is tried that does not come to its end. Pure."""

from typing import TYPE_CHECKING

from reelhaul.client.calls import PATIENT_WAITS_S
from reelhaul.client.errors import Broken

if TYPE_CHECKING:
    from reelhaul.client.files import PartialFile

PAUSES_S = PATIENT_WAITS_S  # between tries that bring not one byte more
_REFUSALS = 4


class LinkExpired(Exception):
    """The link is not good any more; a fresh one is to be asked for."""

    def __str__(self) -> str:
        return "the storage refuses its link"


class Tries:
    """How long a file is tried: while something comes that was not there yet, and a few times more.

    Where nobody answers that is 45 s, as for a job that is waited for; a storage that refuses changes its mind sooner.
    """

    def __init__(self, part: "PartialFile") -> None:
        self._part = part
        self._most = part.received
        self._stalls = 0

    def pause_s(self, error: Exception) -> float:
        """How long to wait before the next try after `error`. Raises `Broken` when there is to be none."""
        received = self._part.received
        self._stalls = 0 if received > self._most else self._stalls + 1
        self._most = max(self._most, received)
        refused = isinstance(error, LinkExpired | Broken)
        if self._stalls > (_REFUSALS if refused else len(PAUSES_S)):
            why = str(error) or type(error).__name__
            raise Broken(f"{self._part.piece.name} did not come to its end: {why}") from error
        return 0.0 if not self._stalls else PAUSES_S[self._stalls - 1]
