"""The engine's standard queues, mended: fair between message groups, as on AWS.

ministack 1.5.33 hands messages out in the order in which they came. Of SQS says "How Amazon SQS fair queues work": the
group is the tenant, a message without one is a tenant of its own; as long as a tenant takes up more of the consumers
than its share, others come first, and of several such tenants the one with the fewest messages in flight. When that
sets in (a tenth of the time that consumers spend, or of the messages in flight if those are 30) is approximate there;
here whoever has fewer in flight comes first from the first message on.
"""
# ruff: noqa: SLF001 - who mends the engine has to reach into it

import collections
import time
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import sqs

Message = dict[str, Any]


def install() -> None:
    collect_as_ever = sqs._collect_msgs

    def collect(queue: dict[str, Any], most: int, visibility_s: int) -> list[Message]:
        if queue["is_fifo"]:
            taken: list[Message] = collect_as_ever(queue, most, visibility_s)
            return taken
        return _collect(queue["messages"], most, visibility_s)

    sqs._collect_msgs = collect


def _collect(messages: list[Message], most: int, visibility_s: int) -> list[Message]:
    """Take up to `most` messages that may be taken, and hide them from others for `visibility_s`."""
    now = time.time()
    waiting: dict[str, collections.deque[Message]] = {}  # by group, in the order of their oldest messages
    in_flight: collections.Counter[str] = collections.Counter()
    for message in messages:
        sqs._ensure_msg_fields(message)
        group = message["group_id"] or message["id"]
        if message["visible_at"] <= now:
            waiting.setdefault(group, collections.deque()).append(message)
        elif message["receive_count"]:
            in_flight[group] += 1
    taken: list[Message] = []
    while waiting and len(taken) < most:
        group = min(waiting, key=in_flight.__getitem__)  # the first of several: `min` keeps their order
        taken.append(_hidden(waiting[group].popleft(), until=now + visibility_s, now=now))
        in_flight[group] += 1
        if not waiting[group]:
            del waiting[group]
    return taken


def _hidden(message: Message, *, until: float, now: float) -> Message:
    message["receipt_handle"] = new_uuid()
    message["visible_at"] = until
    message["receive_count"] += 1
    message["first_receive_at"] = message["first_receive_at"] or now
    return message
