"""What `reelhaul doctor` finds: a line each, and what to do about it. Pure."""

import dataclasses
import enum


class State(enum.StrEnum):
    OK = "ok"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`what` was looked at, `text` says what was found, `advice` what to do."""

    state: State
    what: str
    text: str
    advice: str | None = None


def ok(what: str, text: str) -> Finding:
    return Finding(state=State.OK, what=what, text=text)


def wrong(what: str, text: str, advice: str | None = None) -> Finding:
    return Finding(state=State.WRONG, what=what, text=text, advice=advice)


def skipped(what: str, text: str) -> Finding:
    return Finding(state=State.SKIPPED, what=what, text=text)
