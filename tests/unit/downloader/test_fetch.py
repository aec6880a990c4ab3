"""Fetching with the real child, through a real proxy, from a loopback source."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from downloader import child
from reelhaul import errors
from reelhaul.egress import EgressProxy
from reelhaul.errors import LeaseLost, SourceError
from reelhaul.jobs import Phase, Progress
from reelhaul.options import Clip
from tests.media import SourceServer, probed
from tests.unit.downloader.fetching import Fetching, processes_in

FUNCTIONS = Path(child.__file__).parents[1]

# --- what plays ------------------------------------------------------------------------------------------------------


def test_plain_mp4_arrives_as_it_is(fetching: Fetching, source: SourceServer) -> None:
    fetched = fetching("clip.mp4")
    assert fetched.path.parent == fetching.directory
    assert fetched.path.read_bytes() == (source.directory / "clip.mp4").read_bytes()
    assert (fetched.media.title, fetched.media.extension, fetched.media.content_type) == ("clip", "mp4", "video/mp4")
    assert fetched.media.duration_s == pytest.approx(2, abs=0.1)
    assert fetched.media.format_note == "180p"
    assert [one.phase for one in fetching.progress] == [Phase.FETCHING, Phase.FINISHING]
    assert fetching.progress[-1].downloaded_bytes == fetched.path.stat().st_size


@pytest.mark.parametrize("name", ["get.php?id=1", "video.html", "clip.txt", "clip.exe", "clip"])
def test_what_the_url_ends_in_does_not_matter(fetching: Fetching, source: SourceServer, name: str) -> None:
    fetched = fetching(f"named/{name}")
    assert fetched.path.read_bytes() == (source.directory / "clip.mp4").read_bytes()
    assert fetched.media.extension == "mp4"


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        ("hls/master.m3u8", {}, (["aac", "h264"], 360)),
        ("hls/master.m3u8", {"quality": "240p"}, (["aac", "h264"], 180)),
        ("hls/master.m3u8", {"quality": "144p"}, (["aac", "h264"], 180)),
        ("dash/manifest.mpd", {"quality": "1080p"}, (["aac", "h264"], 180)),
        ("dash/manifest.mpd", {"download_type": "audio"}, (["aac"], None)),
        ("one", {}, (["aac", "h264"], 180)),
    ],
)
def test_media_come_with_the_tracks_that_were_asked_for(
    fetching: Fetching, path: str, options: dict[str, Any], expected: tuple[list[str], int | None]
) -> None:
    fetched = fetching(path, **options)
    found = probed(fetched.path)
    assert (found["codecs"], found["lines"]) == expected
    assert found["duration_s"] == pytest.approx(2, abs=0.15)
    assert fetched.media.extension == ("m4a" if options.get("download_type") == "audio" else "mp4")
    left = {file.name for file in fetching.directory.iterdir()}
    assert left == {fetched.path.name, *(extra.path.name for extra in fetched.extras)}


def test_page_with_one_video_gives_it_its_title(fetching: Fetching) -> None:
    assert fetching("one").media.title == "One"


# --- what does not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("status/404", "source.not_found"),
        ("status/500", "source.unavailable"),
        ("half.mp4", "source.interrupted"),
        ("half-chunked.mp4", "source.interrupted"),
        ("html.mp4", "source.not_media"),
        ("page.html?token=very-secret", "source.unsupported"),
        ("ended.m3u8", "source.not_media"),
        ("clip.mp4#__youtubedl_smuggle=%7B%7D", "source.unsupported"),
        ("live.m3u8", "source.live"),
    ],
)
def test_bad_source_ends_with_its_own_code(fetching: Fetching, path: str, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        fetching(path)
    assert caught.value.code == code
    ((event, fields),) = fetching.logged
    assert (event, fields["error_code"]) == ("fetch_failed", code)
    assert "very-secret" not in str(fields)


def test_source_that_asks_for_patience_is_quoted(fetching: Fetching) -> None:
    with pytest.raises(errors.SourceRateLimited) as caught:
        fetching("status/429")
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize("path", ["redirect?to=http://{}/clip.mp4", "hls-to/{}", "dash-to/{}"])
def test_detour_to_the_inside_reaches_nobody(fetching: Fetching, canary: SourceServer, path: str) -> None:
    with pytest.raises(errors.SourceRefused):
        fetching(path.format(canary.origin))


def test_segment_that_is_refused_is_no_interruption_however_many_come_side_by_side(
    fetching: Fetching, source: SourceServer, canary: SourceServer, tmp_path: Path
) -> None:
    good = [f"#EXTINF:1,\n{source.url('hls/180-0.ts')}" for _ in range(3)]
    lines = [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:2",
        *good,
        "#EXTINF:1,",
        canary.url("secret.ts"),
        *good,
        "#EXT-X-ENDLIST",
    ]
    (source.directory / "side-by-side.m3u8").write_text("\n".join(lines))
    for attempt in range(3):  # which of the threads is told of it first is chance
        fetching.directory = tmp_path / f"attempt {attempt}"
        fetching.directory.mkdir()
        with pytest.raises(errors.SourceRefused):
            fetching("side-by-side.m3u8")


def test_inside_is_refused_as_a_source_through_a_tunnel_too(fetching: Fetching, canary: SourceServer) -> None:
    fetching.url = lambda path: canary.url(path).replace("http:", "https:")
    with pytest.raises(errors.SourceRefused):
        fetching("clip.mp4")
    assert fetching.logged[0][1]["error_code"] == "source.refused_address"


@pytest.mark.parametrize(
    "path", ["redirect?to=http://{}/clip.mp4", "redirect?to=https://{}/clip.mp4", "hls-to/{}", "dash-to/{}"]
)
def test_detour_to_a_denied_site_reaches_nobody(fetching: Fetching, canary: SourceServer, path: str) -> None:
    denied = f"localhost:{canary.origin.rpartition(':')[2]}"
    with pytest.raises(errors.SiteNotAllowed):
        fetching(path.format(denied), denied_sites=frozenset({"localhost"}))


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("hls/master.m3u8", {}),
        ("hls/master.m3u8", {"clip": Clip(end_s=0.5)}),  # all of it is fetched for a clip, too
        ("dash/manifest.mpd", {"download_type": "audio"}),
        ("clip.mp4", {}),  # how long it is shows only once it is there
    ],
)
def test_medium_that_plays_longer_than_is_allowed_is_refused(
    fetching: Fetching, path: str, options: dict[str, Any]
) -> None:
    with pytest.raises(errors.SourceTooLong):
        fetching(path, max_duration_s=1, **options)
    assert fetching(path, max_duration_s=3, **options).path.is_file()


def test_endless_source_is_too_large(fetching: Fetching) -> None:
    with pytest.raises(errors.SourceTooLarge):
        fetching("endless.mp4", max_bytes=5 * 1024**2)
    assert fetching.received_bytes < 10 * 1024**2


def test_page_that_unfolds_without_end_is_too_large(fetching: Fetching) -> None:
    with pytest.raises(errors.SourceTooLarge):
        fetching("bomb", max_memory_bytes=300 * 1024**2)


def test_announced_size_is_believed_at_once(fetching: Fetching) -> None:
    with pytest.raises(errors.SourceTooLarge):
        fetching("slow/clip.mp4?rate=60000", max_bytes=100_000)


def test_slow_source_ends_at_the_deadline(fetching: Fetching) -> None:
    started = time.monotonic()
    with pytest.raises(errors.SourceTooSlow):
        fetching("slow/clip.mp4?rate=5000", seconds=2)
    assert time.monotonic() - started > 1.9


def test_last_word_that_is_heard_with_the_end_of_the_time_counts(
    fetching: Fetching, source: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, late_words = child.Child.lines, list[bytes]()

    def late(self: child.Child, **limits: Any) -> Any:
        heard = lines(self, **limits)
        said = None if heard is None else list(heard)
        if said and b'"finished"' in said[-1]:
            monkeypatch.setattr(EgressProxy, "verdict", errors.SourceTooSlow.code)
            late_words.append(said[-1])
        return said

    monkeypatch.setattr(child.Child, "lines", late)
    assert fetching("clip.mp4").path.read_bytes() == (source.directory / "clip.mp4").read_bytes()
    assert len(late_words) == 1


def test_job_ends_when_its_proxy_is_deaf(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    start, proxied = threading.Thread.start, []

    def refuse_the_third(thread: threading.Thread) -> None:
        if thread.name == "egress":
            proxied.append(thread)
            if len(proxied) == 3:  # the listener is the first, and has let one connection in
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_third)
    with pytest.raises(errors.WorkerCrashed):
        fetching("hls/master.m3u8")
    assert processes_in(fetching.directory) == []


# --- stopping --------------------------------------------------------------------------------------------------------


def test_stop_ends_the_child_at_once(fetching: Fetching) -> None:
    fetching.on_progress = lambda _: fetching.stop.set()
    with pytest.raises(LeaseLost):
        fetching("slow/clip.mp4?rate=60000")  # else it would be there after three seconds
    assert processes_in(fetching.directory) == []


def test_error_of_the_one_who_listens_ends_the_child(fetching: Fetching) -> None:
    def listen(_: Progress) -> None:
        raise ValueError("enough")

    fetching.on_progress = listen
    with pytest.raises(ValueError, match="enough"):
        fetching("slow/clip.mp4?rate=60000")
    assert processes_in(fetching.directory) == []
