"""Files that come from links: whole, once, under a harmless name, whatever happens on the way."""

import asyncio
import errno
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reelhaul.client import AsyncClient, Broken, DownloadFailed, FileDamaged, Overwriting
from tests.serving import CONTENT, DONE, JOB_ID, RUNNING, Said, Server, Storage, error, shown
from tests.unit.reelhaul.client.conftest import KEY, Call

HALF = len(CONTENT) // 2


def file_requests(server: Server) -> list[dict[str, str]]:
    return [asked.headers for asked in server.asked if asked.path == "/file"]


def begun(directory: Path, storage: Storage, count: int = HALF) -> Path:
    """What an earlier process has left behind."""
    part = directory / f"a talk.mp4.{storage.sha256[:12]}.part"
    part.write_bytes(storage.content[:count])
    return part


def test_file_is_saved_under_its_name_and_nothing_else_is_left(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())

    path = call(lambda client: client.download(JOB_ID, tmp_path / "new" / "folder"))

    assert path == tmp_path / "new" / "folder" / "a talk.mp4"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_key_stays_away_from_where_links_lead(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    call(lambda client: client.download(JOB_ID, tmp_path))
    [headers] = file_requests(server)
    assert not headers.keys() & {"x-access-token", "authorization", "cookie"}


def test_progress_is_told_in_bytes_up_to_the_whole(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    seen: list[tuple[int, int | None]] = []
    call(lambda client: client.download(JOB_ID, tmp_path, on_progress=lambda here, size: seen.append((here, size))))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_broken_connection_is_gone_on_with_where_it_broke(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage(cut=(HALF, 10)))

    path = call(lambda client: client.download(JOB_ID, tmp_path))

    assert path.read_bytes() == CONTENT
    assert [headers.get("range") for headers in file_requests(server)] == [
        None, f"bytes={HALF}-", f"bytes={HALF + 10}-",
    ]  # fmt: skip
    assert [headers.get("if-range") for headers in file_requests(server)] == [None, '"one"', '"one"']


def test_object_that_is_another_by_now_is_fetched_from_its_beginning(
    server: Server, call: Call, tmp_path: Path
) -> None:
    server.tell_of_file(Storage())
    server.tell("GET /file", Storage(b"x" * len(CONTENT), etag='"old"', cut=(HALF,)), Storage())

    path = call(lambda client: client.download(JOB_ID, tmp_path))

    assert path.read_bytes() == CONTENT
    assert file_requests(server)[1]["if-range"] == '"old"'


def test_what_an_earlier_process_has_left_is_not_fetched_again(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    begun(tmp_path, Storage())

    path = call(lambda client: client.download(JOB_ID, tmp_path))

    assert path.read_bytes() == CONTENT
    assert [headers.get("range") for headers in file_requests(server)] == [f"bytes={HALF}-"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("first", [HALF - 1, HALF + 1])
def test_reply_with_another_part_than_was_asked_for_is_not_taken(
    server: Server, call: Call, tmp_path: Path, first: int
) -> None:
    server.tell_of_file(Storage())
    begun(tmp_path, Storage())
    other = {"Content-Range": f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    server.tell("GET /file", Said(CONTENT[first:], 206, other), Storage())

    assert call(lambda client: client.download(JOB_ID, tmp_path)).read_bytes() == CONTENT

    assert [headers.get("range") for headers in file_requests(server)] == [f"bytes={HALF}-"] * 2


def test_part_that_is_whole_is_only_named(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    begun(tmp_path, Storage(), len(CONTENT))
    assert call(lambda client: client.download(JOB_ID, tmp_path)).read_bytes() == CONTENT
    assert file_requests(server) == []


@pytest.mark.parametrize("left", [b"x" * HALF, b"x" * (len(CONTENT) + 1)])
def test_part_that_is_wrong_is_thrown_away(server: Server, call: Call, tmp_path: Path, left: bytes) -> None:
    server.tell_of_file(Storage())
    begun(tmp_path, Storage()).write_bytes(left)
    assert call(lambda client: client.download(JOB_ID, tmp_path)).read_bytes() == CONTENT


def test_part_of_other_content_is_left_alone(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    other = begun(tmp_path, Storage(b"y" * 1000), 500)
    call(lambda client: client.download(JOB_ID, tmp_path))
    assert other.read_bytes() == b"y" * 500


@pytest.mark.parametrize("checksum", [Storage().sha256, None])
def test_two_who_save_the_same_at_once_do_not_get_in_each_others_way(
    server: Server, tmp_path: Path, checksum: str | None
) -> None:
    server.tell_of_file(Storage(), checksum_sha256=checksum)

    async def both() -> list[Path]:
        async with AsyncClient(server.url, KEY) as client:
            return list(await asyncio.gather(*(client.download(JOB_ID, tmp_path) for _ in range(5))))

    paths = asyncio.run(both())

    assert all(path.read_bytes() == CONTENT for path in paths)
    assert set(tmp_path.iterdir()) == set(paths)


def test_expired_link_is_exchanged_for_a_fresh_one(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    size = {"filesize": len(CONTENT), "checksum_sha256": Storage().sha256, "name": "a talk.mp4"}
    links = [shown(DONE, download_url=f"{server.url}/{path}", **size) for path in ("old", "file")]
    server.tell(f"GET /download/{JOB_ID}", *links)
    server.tell("GET /old", Said(b"<Error><Code>AccessDenied</Code></Error>", 403))

    assert call(lambda client: client.download(JOB_ID, tmp_path)).read_bytes() == CONTENT

    assert server.paths().count("GET /old") == 1


def test_job_that_is_another_by_now_is_not_mixed_in(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    size = {"filesize": len(CONTENT), "name": "a talk.mp4"}
    links = [
        shown(DONE, download_url=f"{server.url}/old", checksum_sha256=digest, **size)
        for digest in ("ab" * 32, "cd" * 32)
    ]
    server.tell(f"GET /download/{JOB_ID}", *links)
    server.tell("GET /old", Said(b"", 403))
    with pytest.raises(Broken, match="another file"):
        call(lambda client: client.download(JOB_ID, tmp_path))


def test_link_that_is_always_refused_is_given_up(
    server: Server, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhaul.client.tries.PAUSES_S", (0.0,) * 7)
    server.tell_of_file(Storage())
    server.tell("GET /file", Said(b"", 403))
    with pytest.raises(Broken, match="refuses its link"):
        call(lambda client: client.download(JOB_ID, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_has_come_stays_when_no_more_comes(
    server: Server, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhaul.client.tries.PAUSES_S", (0.0,) * 7)
    server.tell_of_file(Storage())
    server.tell("GET /file", Storage(cut=(HALF,)), Said(b"", 500))

    with pytest.raises(Broken, match="did not come to its end"):
        call(lambda client: client.download(JOB_ID, tmp_path))

    [part] = tmp_path.iterdir()
    assert part.suffix == ".part"
    assert part.read_bytes() == CONTENT[:HALF]


def test_file_that_is_not_what_the_job_says_is_never_handed_out(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    server.tell("GET /file", Storage(b"x" * len(CONTENT)))
    with pytest.raises(FileDamaged):
        call(lambda client: client.download(JOB_ID, tmp_path))
    assert len(file_requests(server)) == 2
    assert list(tmp_path.iterdir()) == []


def test_longer_file_than_the_job_says_is_cut_off_at_once(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    server.tell("GET /file", Storage(CONTENT * 20))
    with pytest.raises(FileDamaged, match="longer"):
        call(lambda client: client.download(JOB_ID, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_other_file_of_that_name_is_kept_and_ours_gets_a_number(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    for name in ("a talk.mp4", "a talk (2).mp4"):
        (tmp_path / name).write_bytes(b"precious")

    path = call(lambda client: client.download(JOB_ID, tmp_path))

    assert path.name == "a talk (3).mp4"
    assert (tmp_path / "a talk.mp4").read_bytes() == b"precious"


def test_same_file_is_not_fetched_twice(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    (tmp_path / "a talk.mp4").write_bytes(CONTENT)
    assert call(lambda client: client.download(JOB_ID, tmp_path)) == tmp_path / "a talk.mp4"
    assert file_requests(server) == []
    assert len(list(tmp_path.iterdir())) == 1


def test_file_is_overwritten_where_that_is_asked_for(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    (tmp_path / "mine.mp4").write_bytes(b"old")
    path = call(lambda client: client.download(JOB_ID, tmp_path, filename="mine.mp4", overwrite=True))
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.mp4"]


@pytest.mark.parametrize(
    ("name", "saved_as"),
    [
        ("../../etc/passwd", "_.._etc_passwd"), ("/etc/passwd", "_etc_passwd"), (".bashrc", "bashrc"),
        ("a\x1b[31m\nb.mp4", "a [31m b.mp4"), ("con.mp4", "_con.mp4"), ("-rf.mp4", "_rf.mp4"),
        ("gpj\u202e4pm.mp4", "gpj 4pm.mp4"), ("..", "download"),
    ],
)  # fmt: skip
def test_name_of_a_remote_title_is_a_harmless_one_in_the_directory(
    server: Server, call: Call, tmp_path: Path, name: str, saved_as: str
) -> None:
    server.tell_of_file(Storage(), name=name)
    assert call(lambda client: client.download(JOB_ID, tmp_path)) == tmp_path / saved_as


def test_name_as_long_as_names_may_be_is_saved(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage(), name="文" * 84 + ".mp4")
    path = call(lambda client: client.download(JOB_ID, tmp_path))
    assert path.suffix == ".mp4"
    assert path.read_bytes() == CONTENT


def test_file_without_a_checksum_is_fetched_from_its_beginning(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage(), checksum_sha256=None)
    (tmp_path / "a talk.mp4.new.part").write_bytes(CONTENT[:HALF])
    assert call(lambda client: client.download(JOB_ID, tmp_path)).read_bytes() == CONTENT
    assert file_requests(server)[0].get("range") is None


def test_job_without_a_file_has_none_to_save(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell(f"GET /download/{JOB_ID}", shown(RUNNING))
    with pytest.raises(DownloadFailed):
        call(lambda client: client.download(JOB_ID, tmp_path))


def test_directory_that_is_a_file_is_an_error_of_the_disk(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        call(lambda client: client.download(JOB_ID, tmp_path / "file"))


def test_subtitles_lie_beside_their_file_under_its_name(server: Server, call: Call, tmp_path: Path) -> None:
    text = Storage(b"WEBVTT\n")
    row = {"language": "en", "format": "vtt", "filesize": len(text.content), "url": f"{server.url}/subtitles"}
    server.tell_of_file(Storage(), subtitles=[row])
    server.tell("GET /subtitles", text)

    [path] = call(lambda client: client.download_subtitles(JOB_ID, tmp_path, beside="a talk (2).mp4"))

    assert path == tmp_path / "a talk (2).en.vtt"
    assert path.read_bytes() == text.content


@pytest.mark.parametrize(
    ("language", "kind", "saved_as"),
    [("/../../out", "vtt", "a talk._______out.vtt"), ("en", "/../../out", "a talk.en._______out"),
     ("x" * 300, "vtt", f"a talk.{'x' * 35}.vtt"), ("", "", "a talk"), ("en\x1b", "v\0t", "a talk.en_.v_t")],
)  # fmt: skip
def test_subtitles_of_any_language_stay_in_their_directory(
    server: Server, call: Call, tmp_path: Path, language: str, kind: str, saved_as: str
) -> None:
    row = {"language": language, "format": kind, "filesize": 7, "url": f"{server.url}/subtitles"}
    server.tell_of_file(Storage(), subtitles=[row])
    server.tell("GET /subtitles", Storage(b"WEBVTT\n"))

    saved = call(lambda client: client.download_subtitles(JOB_ID, tmp_path / "in" / "here", beside="a talk.mp4"))

    assert saved == [tmp_path / "in" / "here" / saved_as]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == saved


def test_subtitles_of_the_longest_name_are_saved(server: Server, call: Call, tmp_path: Path) -> None:
    row = {"language": "en", "format": "vtt", "filesize": 7, "url": f"{server.url}/subtitles"}
    server.tell_of_file(Storage(), subtitles=[row])
    server.tell("GET /subtitles", Storage(b"WEBVTT\n"))
    [path] = call(lambda client: client.download_subtitles(JOB_ID, tmp_path, beside="文" * 83 + ".mp4"))
    assert path.name.endswith("文.en.vtt")


def test_subtitles_whose_link_is_refused_are_given_up(
    server: Server, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhaul.client.tries.PAUSES_S", (0.0,) * 7)
    row = {"language": "en", "format": "vtt", "filesize": 7, "url": f"{server.url}/subtitles"}
    server.tell_of_file(Storage(), subtitles=[row])
    server.tell("GET /subtitles", error(403, "x"))
    with pytest.raises(Broken):
        call(lambda client: client.download_subtitles(JOB_ID, tmp_path))


def test_file_that_got_a_number_is_not_fetched_twice(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    (tmp_path / "a talk.mp4").write_bytes(b"precious")
    (tmp_path / "a talk (2).mp4").write_bytes(CONTENT)
    assert call(lambda client: client.download(JOB_ID, tmp_path)) == tmp_path / "a talk (2).mp4"
    assert file_requests(server) == []


def test_subtitles_that_are_there_get_no_second_copy(server: Server, call: Call, tmp_path: Path) -> None:
    row = {"language": "en", "format": "vtt", "filesize": 7, "url": f"{server.url}/subtitles"}
    server.tell_of_file(Storage(), subtitles=[row])
    server.tell("GET /subtitles", Storage(b"WEBVTT\n"))
    saved = [call(lambda client: client.download_subtitles(JOB_ID, tmp_path)) for _ in range(2)]
    assert saved == [[tmp_path / "a talk.en.vtt"]] * 2
    assert list(tmp_path.iterdir()) == saved[0]


def test_subtitles_are_overwritten_where_that_is_asked_for(server: Server, call: Call, tmp_path: Path) -> None:
    row = {"language": "en", "format": "vtt", "filesize": 7, "url": f"{server.url}/subtitles"}
    server.tell_of_file(Storage(), subtitles=[row])
    server.tell("GET /subtitles", Storage(b"WEBVTT\n"))
    (tmp_path / "a talk.en.vtt").write_bytes(b"old")
    [path] = call(lambda client: client.download_subtitles(JOB_ID, tmp_path, overwrite=True))
    assert path == tmp_path / "a talk.en.vtt"
    assert path.read_bytes() == b"WEBVTT\n"


def test_files_of_one_run_replace_others_but_not_each_other(server: Server, call: Call, tmp_path: Path) -> None:
    one, other = Storage(), Storage(b"x" * 1000)
    (tmp_path / "a talk.mp4").write_bytes(b"old")
    run = Overwriting()
    for storage in (one, other, one):
        server.tell_of_file(storage)
        call(lambda client: client.download(JOB_ID, tmp_path, overwrite=run))
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"a talk.mp4": one.content, "a talk (2).mp4": other.content}


def test_file_that_was_there_before_is_not_replaced_by_another_of_the_run(
    server: Server, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "a talk.mp4").write_bytes(CONTENT)
    run = Overwriting()
    for storage in (Storage(), Storage(b"x" * 1000)):
        server.tell_of_file(storage)
        call(lambda client: client.download(JOB_ID, tmp_path, overwrite=run))
    assert (tmp_path / "a talk.mp4").read_bytes() == CONTENT


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_file_system_without_locks_takes_files_all_the_same(
    server: Server, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr("fcntl.flock", refused)
    server.tell_of_file(Storage())
    path = call(lambda client: client.download(JOB_ID, tmp_path))
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_connection_that_is_lost_is_borne_longer_than_a_refusal(
    server: Server, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhaul.client.tries.PAUSES_S", (0.0,) * 7)
    server.tell_of_file(Storage(cut=(0,) * 7))
    assert call(lambda client: client.download(JOB_ID, tmp_path)).read_bytes() == CONTENT


def test_job_that_is_known_is_not_asked_for_again(server: Server, call: Call, tmp_path: Path) -> None:
    server.tell_of_file(Storage())
    known = call(lambda client: client.job(JOB_ID))
    call(lambda client: client.download(known, tmp_path))
    call(lambda client: client.download_subtitles(known, tmp_path))
    assert server.paths() == [f"GET /download/{JOB_ID}", "GET /file"]


def test_expired_link_of_subtitles_is_exchanged_as_well(server: Server, call: Call, tmp_path: Path) -> None:
    row = {"language": "en", "format": "vtt", "filesize": 7}
    links = [
        shown(DONE, download_url=f"{server.url}/file", subtitles=[{**row, "url": f"{server.url}/{path}"}])
        for path in ("old", "subtitles")
    ]
    server.tell(f"GET /download/{JOB_ID}", *links)
    server.tell("GET /old", Said(b"", 403))
    server.tell("GET /subtitles", Storage(b"WEBVTT\n"))
    [path] = call(lambda client: client.download_subtitles(JOB_ID, tmp_path))
    assert path.read_bytes() == b"WEBVTT\n"


@pytest.mark.parametrize(("module", "slow"), [(os, "fsync"), (hashlib, "file_digest")])
def test_disk_that_takes_its_time_does_not_hold_up_other_tasks(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, slow: str
) -> None:
    really: Callable[..., Any] = getattr(module, slow)
    begun, others_went_on = threading.Event(), threading.Event()
    waited: list[bool] = []

    def slowly(*arguments: Any) -> Any:
        begun.set()
        waited.append(others_went_on.wait(10))
        return really(*arguments)

    async def other() -> None:
        while not begun.is_set():
            await asyncio.sleep(0.01)
        others_went_on.set()

    async def both() -> None:
        async with AsyncClient(server.url, KEY) as client:
            await asyncio.gather(client.download(JOB_ID, tmp_path), other())

    server.tell_of_file(Storage())
    if module is hashlib:
        (tmp_path / "a talk.mp4").write_bytes(CONTENT)
    monkeypatch.setattr(module, slow, slowly)
    asyncio.run(both())

    assert waited == [True]
