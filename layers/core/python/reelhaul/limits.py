"""What a tenant may use in a day and at a time. Pure.

The limits are a key's, what is counted is the tenant's: two keys of one tenant may have different ceilings over the
same use. A day is one of UTC.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Self

from reelhaul.errors import BytesPerDayReached, ConcurrentJobsReached, InvalidRequest, JobsPerDayReached

DAY_S = 86_400
MAX_JOBS = 10_000_000
MAX_BYTES = 10**18  # an exabyte; JSON readers that know only doubles are off by 64 bytes there
_SIZE = re.compile(r"([0-9]{1,18})(B|[KMGT]B|[KMGT]iB)", re.ASCII)
_UNITS: dict[str, int] = {"B": 1} | {
    f"{letter}{infix}B": int(base**power)
    for infix, base in (("", 1000), ("i", 1024))
    for power, letter in enumerate("KMGT", 1)
}
_OPEN_JOB_S = 10  # when to ask again while others are under way: nobody knows when one of them ends


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`None` is no limit. Bytes are those that are stored: of media, subtitles and thumbnails."""

    max_concurrent_jobs: int | None = None
    max_jobs_per_day: int | None = None
    max_bytes_per_day: int | None = None

    def __bool__(self) -> bool:
        return self != Limits()

    @classmethod
    def from_texts(cls, texts: Mapping[str, object]) -> Self:
        """What `to_texts` wrote, among other things. Raises `InvalidRequest` for a limit that is none."""
        limits = cls(**{name: _number(name, texts[name]) for name in _MOST if name in texts})
        check_limits(limits)
        return limits

    def to_texts(self) -> dict[str, str]:
        """The limits that there are, as an authorizer hands them on: API Gateway takes texts."""
        return {name: str(value) for name, value in dataclasses.asdict(self).items() if value is not None}


_MOST = {"max_concurrent_jobs": MAX_JOBS, "max_jobs_per_day": MAX_JOBS, "max_bytes_per_day": MAX_BYTES}


def check_limits(limits: Limits) -> None:
    """Raises `InvalidRequest` naming the limit that is out of range."""
    for name, most in _MOST.items():
        value = getattr(limits, name)
        if value is not None and not 1 <= value <= most:
            raise InvalidRequest(f"{name} must be a whole number from 1 to {most}.", field=name)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a tenant has used of the current day, and how many jobs are under way: items of playlists aside."""

    open_jobs: int
    jobs_today: int
    bytes_today: int


def check(limits: Limits, usage: Usage, *, takes_place: bool, now: float) -> None:
    """Raises `LimitReached` unless one more job may begin. Without `takes_place` it does not count as under way."""
    if takes_place and limits.max_concurrent_jobs is not None and usage.open_jobs >= limits.max_concurrent_jobs:
        raise ConcurrentJobsReached(limits.max_concurrent_jobs, retry_after_s=_OPEN_JOB_S)
    if limits.max_jobs_per_day is not None and usage.jobs_today >= limits.max_jobs_per_day:
        raise JobsPerDayReached(limits.max_jobs_per_day, retry_after_s=until_midnight_s(now))
    check_bytes(limits, usage, now=now)


def check_bytes(limits: Limits, usage: Usage, *, now: float) -> None:
    """Raises `LimitReached` once as many bytes are stored as a day may see. The job that gets there is completed."""
    if limits.max_bytes_per_day is not None and usage.bytes_today >= limits.max_bytes_per_day:
        raise BytesPerDayReached(limits.max_bytes_per_day, retry_after_s=until_midnight_s(now))


def until_midnight_s(now: float) -> int:
    """Whole seconds until the next day of UTC has begun: 1 to 86,400."""
    return DAY_S - int(now) % DAY_S


def parse_size(text: str) -> int:
    """Bytes: a whole number and its unit, as in "500MB" (10^6) or "2GiB" (2^30). Raises `InvalidRequest`."""
    found = _SIZE.fullmatch(text)
    if not found or not 1 <= (size := int(found[1]) * _UNITS[found[2]]) <= MAX_BYTES:
        sentence = f"{text!r} is not a size: a whole number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, as in 10GB."
        raise InvalidRequest(sentence, field="max_bytes_per_day")
    return size


def format_size(size: int) -> str:
    """`size` in the largest unit that says it exactly."""
    unit = max((name for name, factor in _UNITS.items() if size % factor == 0), key=_UNITS.__getitem__)
    return f"{size // _UNITS[unit]}{unit}"


def _number(name: str, text: object) -> int:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,19}", text, re.ASCII):
        raise InvalidRequest(f"{name} must be a whole number.", field=name)
    return int(text)
