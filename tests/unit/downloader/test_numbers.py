"""Numbers as sources give them."""

from typing import Any

import pytest

from downloader.fetcher.numbers import number, whole


@pytest.mark.parametrize("value", [0, 1, 2.5, 2**53 - 1])
def test_a_number_is_taken_as_it_is(value: float) -> None:
    assert number(value) == value


@pytest.mark.parametrize("value", [None, "1", True, -1, -0.5, 2**53, 1e300, float("nan"), float("inf"), [1], {"a": 1}])
def test_anything_else_is_no_number(value: Any) -> None:
    assert (number(value), whole(value)) == (None, None)


def test_a_whole_number_is_rounded() -> None:
    assert [whole(value) for value in (3, 3.4, 3.6)] == [3, 3, 4]
