"""How much a job asks of its source at once."""

import dataclasses

from downloader.politeness import connections
from reelhaul.connections import Connections
from reelhaul.jobs import PlaylistItem
from tests.jobs_in import queued, running

MOST = Connections("6,slow.example=1")


def test_site_of_its_own_counts() -> None:
    assert connections(running(), MOST) == 6
    assert connections(running(url="https://www.slow.example/a"), MOST) == 1


def test_items_of_a_playlist_share_what_one_download_may_have() -> None:
    of = {total: PlaylistItem(parent_id="download-x", index=1, total=total) for total in (1, 2, 4, 50)}
    assert {total: connections(running(item=item), MOST) for total, item in of.items()} == {1: 6, 2: 3, 4: 1, 50: 1}


def test_whoever_has_failed_before_comes_alone() -> None:
    first = running()
    assert first.attempts == 1
    assert [connections(dataclasses.replace(first, attempts=tried), MOST) for tried in (2, 3)] == [1, 1]


def test_whoever_goes_on_within_an_attempt_has_not_failed() -> None:
    assert connections(dataclasses.replace(queued(), attempts=1), MOST) == 6
