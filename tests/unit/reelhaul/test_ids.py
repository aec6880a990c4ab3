"""The ids of jobs and of their objects."""

import pytest

from reelhaul import ids
from tests.jobs_in import (
    NOW,
    queued,
    running,
)


def test_ids_sort_by_time_and_differ_within_one_millisecond() -> None:
    made = [ids.new_id(NOW + number / 1000) for number in range(50)]
    assert made == sorted(made)
    assert len({ids.new_id(NOW) for _ in range(1000)}) == 1000


def test_an_id_has_the_form_of_the_contract() -> None:
    made = ids.new_id(NOW)
    assert made.startswith("download-")
    assert len(made) == len("download-") + 26
    assert made == made.lower()
    assert ids.is_id(made)


@pytest.mark.parametrize(
    "text", ["", "download-", "download-" + "0" * 25, "download-" + "0" * 27, "download-" + "U" * 26, "x-" + "0" * 26]
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert not ids.is_id(text)


def test_object_key_carries_tenant_job_and_fence() -> None:
    job = running()
    assert ids.object_key(job, "mp4") == f"acme/{job.id}/1.mp4"


def test_items_have_ids_of_their_own_that_are_always_the_same() -> None:
    parent, other = queued(), queued()
    made = [ids.item_id(parent, index) for index in range(1, 1001)]
    assert made == [ids.item_id(parent, index) for index in range(1, 1001)]
    assert len(set(made)) == 1000
    assert all(ids.is_id(item) for item in made)
    assert ids.item_id(parent, 1) != ids.item_id(other, 1)


def test_the_newest_first_list_shows_items_in_their_playlists_order() -> None:
    parent = queued()
    made = [ids.item_id(parent, index) for index in range(1, 1001)]
    assert sorted(made, reverse=True) == made
    assert all(item.startswith(ids.item_prefix(parent.id)) for item in made)
