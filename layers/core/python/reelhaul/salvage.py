"""What can still be told of a job whose record is damaged. Pure."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from reelhaul import items
from reelhaul.jobs import Job, PlaylistItem, State
from reelhaul.options import Options

T = TypeVar("T")

_HIGH = 1_000_000  # where a fence is lost: more than any job has had, so that nobody's write looks newer
_RETENTION_DAYS = 7
# What the counters have it under, where its state is lost.
_STATES = {"processing": State.QUEUED, "done": State.DONE, "error": State.FAILED}


def salvaged(item: Mapping[str, Any], *, now: float) -> Job:
    """A job that has of the damaged one what can be read, and stands where it stood: good for nothing but an end.

    `item` has at least its key.
    """
    fields = _fields(item)
    return Job(
        id=str(item["sk"]),
        tenant=items.tenant_of(str(item["pk"])),
        url=_of(str, fields.get("url"), ""),
        name=_of(str, fields.get("name"), None),
        options=Options(),
        retention_days=_of(int, fields.get("retention_days"), _RETENTION_DAYS),
        created_at=_of(float, fields.get("created_at"), now),
        updated_at=now,
        callback_url=_of(str, fields.get("callback_url"), None),
        item=_place(fields.get("item")),
        state=_state(item, fields),
        generation=_of(int, item.get("generation"), _of(int, fields.get("generation"), 1)),
        fence=_of(int, item.get("fence"), _of(int, fields.get("fence"), _HIGH)),
    )


def _fields(item: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        fields = json.loads(item["job"])
    except (KeyError, TypeError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _of(kind: type[T], value: object, otherwise: Any) -> Any:
    return value if type(value) is kind or (kind is float and type(value) is int) else otherwise


def _state(item: Mapping[str, Any], fields: Mapping[str, Any]) -> State:
    for said in (item.get("state"), fields.get("state")):
        if said in list(State):
            return State(said)
    return _STATES.get(str(item.get("status_key")).rpartition("#")[2], State.QUEUED)


def _place(fields: object) -> PlaylistItem | None:
    """An item stays one of its playlist, which counts it as failed."""
    try:
        return PlaylistItem(**fields)  # type: ignore[arg-type]  # anything at all
    except TypeError:
        return None
