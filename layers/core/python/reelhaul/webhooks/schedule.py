"""What follows from an attempt to deliver a webhook. Pure but for the jitter."""

import dataclasses
import random
from collections.abc import Callable

from reelhaul.jobs import Delivery, DeliveryState

# Between one attempt and the next: quick while it may be a hiccup, then for most of a day. With all jitter and every
# wait that a target may ask for, the last attempt comes within 24 hours of the first.
DELAYS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 25_200)
MAX_ATTEMPTS = len(DELAYS_S) + 1
MAX_JITTER = 0.1  # of a delay: what failed together must not come again together
MAX_RETRY_AFTER_S = 900.0  # a target may ask for more patience than the schedule has, up to this
_OVERLOADED = frozenset({429, 503})  # only they may ask for it
_GONE = 410


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one attempt: the target's HTTP `status`, or `error`, a sentence, where there was none."""

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None


def after(
    attempts: int,
    outcome: Outcome,
    *,
    event_id: str,
    now: float,
    jitter: Callable[[float, float], float] = random.uniform,
) -> Delivery:
    """The state of a delivery that had `attempts` before the one with this `outcome`, which ended at `now`.

    An address that policy refuses is tried again like any other failure: names are mended, and asking for one again
    does no harm.
    """
    attempts += 1
    made = Delivery(event_id=event_id, attempts=attempts, response_status=outcome.status, last_attempt_at=now)
    if outcome.status is not None and 200 <= outcome.status < 300:
        return dataclasses.replace(made, state=DeliveryState.DELIVERED)
    failed = dataclasses.replace(made, error=outcome.error or _sentence(outcome.status))
    if outcome.status == _GONE:
        return dataclasses.replace(failed, state=DeliveryState.STOPPED)
    if attempts >= MAX_ATTEMPTS:
        return dataclasses.replace(failed, state=DeliveryState.FAILED)
    delay_s = DELAYS_S[attempts - 1] * (1 + jitter(0, MAX_JITTER))
    return dataclasses.replace(failed, next_attempt_at=now + max(delay_s, _asked_for_s(outcome)))


def _asked_for_s(outcome: Outcome) -> float:
    if outcome.status not in _OVERLOADED or outcome.retry_after_s is None:
        return 0.0
    return min(outcome.retry_after_s, MAX_RETRY_AFTER_S)


def _sentence(status: int | None) -> str:
    if status is None:
        return "The target could not be reached."
    if status == _GONE:
        return "The target answered 410: it wants no more."
    if 300 <= status < 400:
        return f"The target answered {status}, and redirects are not followed."
    return f"The target answered {status}."
