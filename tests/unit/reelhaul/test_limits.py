"""What a key allows, and whether one more job fits in."""

from typing import Any

import pytest

from reelhaul import limits
from reelhaul.errors import InvalidRequest, LimitReached
from reelhaul.limits import Limits, Usage, check, check_limits, format_size, parse_size, until_midnight_s
from tests.jobs_in import NOW

ALL = Limits(max_concurrent_jobs=5, max_jobs_per_day=100, max_bytes_per_day=10**10)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1B", 1), ("500KB", 500_000), ("10GB", 10**10), ("2TB", 2 * 10**12), ("1KiB", 1024), ("3GiB", 3 * 2**30)],
)
def test_a_size_is_a_whole_number_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert format_size(size) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "GB",
        "10gb",
        "10 GB",
        "1.5GB",
        "-1GB",
        "+1GB",
        "1e3MB",
        "0GB",
        "10PB",
        "10Gb",
        "10GB ",
        "2000000TB",
    ],
)
def test_what_is_no_size_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a size"):
        parse_size(text)


def test_a_size_is_said_in_the_largest_unit_that_is_exact() -> None:
    assert [format_size(size) for size in (10**10 + 1, 1_500_000_000, 1536 * 2**20)] == [
        "10000000001B", "1500MB", "1536MiB",
    ]  # fmt: skip


@pytest.mark.parametrize("given", [Limits(), Limits(max_jobs_per_day=1), ALL])
def test_limits_come_back_from_what_the_authorizer_says(given: Limits) -> None:
    said = given.to_texts()
    assert all(isinstance(value, str) for value in said.values())
    assert Limits.from_texts({"tenant": "acme", **said}) == given


@pytest.mark.parametrize("name", ["max_concurrent_jobs", "max_jobs_per_day", "max_bytes_per_day"])
@pytest.mark.parametrize("value", ["", "x", "-1", "0", "1.0", " 1", "9" * 30, None, 1, True])
def test_a_limit_that_cannot_be_read_is_not_taken_for_none(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Limits.from_texts({name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("given", [Limits(max_concurrent_jobs=0), Limits(max_jobs_per_day=limits.MAX_JOBS + 1)])
def test_a_limit_out_of_range_is_refused(given: Limits) -> None:
    with pytest.raises(InvalidRequest, match="must be a whole number from 1 to"):
        check_limits(given)


def test_no_limits_are_none_at_all() -> None:
    assert not Limits()
    assert Limits(max_bytes_per_day=1)
    check(Limits(), Usage(open_jobs=10**6, jobs_today=10**9, bytes_today=10**15), takes_place=True, now=NOW)


@pytest.mark.parametrize(
    ("used", "code", "said"),
    [
        ({"open_jobs": 5}, "limit.concurrent_jobs", "The limit of 5 downloads at a time is reached."),
        ({"jobs_today": 100}, "limit.jobs_per_day", "The limit of 100 downloads a day is reached"),
        ({"bytes_today": 10**10}, "limit.bytes_per_day", "The limit of 10000000000 bytes a day is reached"),
    ],
)
def test_the_limit_that_is_reached_is_named_and_up_to_it_all_is_well(
    used: dict[str, int], code: str, said: str
) -> None:
    free = {"open_jobs": 4, "jobs_today": 99, "bytes_today": 10**10 - 1}
    check(ALL, Usage(**free), takes_place=True, now=NOW)
    with pytest.raises(LimitReached, match=said) as caught:
        check(ALL, Usage(**free | used), takes_place=True, now=NOW)
    assert caught.value.code == code


def test_an_item_of_a_playlist_takes_no_place_among_those_under_way() -> None:
    check(ALL, Usage(open_jobs=5, jobs_today=0, bytes_today=0), takes_place=False, now=NOW)


@pytest.mark.parametrize(
    ("now", "left"),
    [(NOW, 86_400), (NOW + 0.5, 86_400), (NOW + 86_399, 1), (NOW + 86_399.9, 1), (NOW + 43_200, 43_200)],
)
def test_the_day_ends_at_midnight_utc(now: float, left: int) -> None:
    assert until_midnight_s(now) == left
    with pytest.raises(LimitReached) as caught:
        check(ALL, Usage(open_jobs=0, jobs_today=100, bytes_today=0), takes_place=True, now=now)
    assert caught.value.retry_after_s == left
