"""Live streams: only so many seconds of them, and never past the proxy."""

import itertools
import time

import pytest

from downloader.fetcher import live
from reelhaul import errors
from reelhaul.options import Clip
from tests.media import SourceServer, probed
from tests.unit.downloader.fetching import Fetching, processes_in


def test_recording_ends_after_the_seconds_that_were_asked_for(fetching: Fetching, source: SourceServer) -> None:
    fetched = fetching("live/a.m3u8", clip=Clip(end_s=4))
    found = probed(fetched.path)
    assert found["codecs"] == ["aac", "h264"]
    assert found["duration_s"] == pytest.approx(4, abs=0.3)
    assert fetched.media.extension == "mp4"
    served = {int(path.split("/")[2].partition(".")[0]) for path in source.hits if path.startswith("/long/")}
    assert len(served) == 4  # a second each, and no more than was asked for
    assert served == set(range(min(served), min(served) + 4))  # in order, and none left out


def test_clip_of_a_recording_begins_later(fetching: Fetching) -> None:
    fetched = fetching("live/a.m3u8", clip=Clip(start_s=2, end_s=5))
    assert probed(fetched.path)["duration_s"] == pytest.approx(3, abs=0.3)


def test_stream_that_ends_earlier_is_recorded_to_its_end(fetching: Fetching) -> None:
    fetched = fetching("live/a.m3u8?ends=6", clip=Clip(end_s=50))
    assert probed(fetched.path)["duration_s"] <= 6.3


@pytest.mark.parametrize("clip", [None, Clip(start_s=2)])
def test_stream_is_refused_without_an_end(fetching: Fetching, source: SourceServer, clip: Clip | None) -> None:
    with pytest.raises(errors.SourceLive):
        fetching("live/a.m3u8", clip=clip)
    assert not [path for path in source.hits if path.startswith("/long/")]


@pytest.mark.parametrize(("seconds", "max_duration_s"), [(60, 3), (20, 0)])
def test_recording_that_would_be_too_long_is_not_begun(
    fetching: Fetching, source: SourceServer, seconds: float, max_duration_s: int
) -> None:
    with pytest.raises(errors.SourceTooLong):
        fetching("live/a.m3u8", clip=Clip(end_s=30), seconds=seconds, max_duration_s=max_duration_s)
    assert not [path for path in source.hits if path.startswith("/long/")]


@pytest.mark.parametrize("tag", [
    '%23EXT-X-KEY:METHOD=AES-128,URI="http://{}/key"', '%23EXT-X-MAP:URI="http://{}/init.mp4"',
    '%23EXT-X-KEY:METHOD=SAMPLE-AES,URI="http://{}/key"',
])  # fmt: skip
def test_key_and_beginning_of_a_stream_lead_nowhere_inside(fetching: Fetching, canary: SourceServer, tag: str) -> None:
    with pytest.raises((errors.SourceRefused, errors.SourceUnsupported, errors.SourceDrm)):
        fetching(f"live/a.m3u8?tag={tag.format(canary.origin)}", clip=Clip(end_s=3))


@pytest.mark.parametrize("segment", ["http://{}/secret.ts", "file:///etc/passwd", "rtmp://{}/x", "tcp://{}"])
def test_segment_of_a_stream_leads_nowhere_inside(fetching: Fetching, canary: SourceServer, segment: str) -> None:
    with pytest.raises(errors.SourceError):
        fetching(f"live/a.m3u8?segment={segment.format(canary.origin)}", clip=Clip(end_s=3))
    assert processes_in(fetching.directory) == []


def test_byte_budget_holds_for_a_recording(fetching: Fetching) -> None:
    with pytest.raises(errors.SourceTooLarge):
        fetching("live/a.m3u8?segment=/endless.mp4", clip=Clip(end_s=10), max_bytes=3 * 1024**2)


def test_stream_that_only_ceases_is_interrupted_and_not_taken_for_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n#EXTINF:2,\n2.ts\n"
    clock = itertools.count(step=5.0)
    read = live.Recording(lambda url: (playlist, url), "http://a.example/x", seconds=60, clock=lambda: next(clock))
    found = read.addresses()
    assert [next(found), next(found)] == ["http://a.example/1.ts", "http://a.example/2.ts"]
    with pytest.raises(errors.SourceInterrupted):
        next(found)


def test_beginning_that_all_segments_need_comes_first_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    windows = iter(range(5))

    def read(url: str) -> tuple[str, str]:
        first = next(windows)
        lines = ["#EXTM3U", f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"']
        return "\n".join([*lines, *(f"#EXTINF:1,\n{first + index}.m4s" for index in range(2))]), url

    found = list(live.Recording(read, "http://a.example/live/x", seconds=4).addresses())
    names = ["init.mp4", "0.m4s", "1.m4s", "2.m4s", "3.m4s"]
    assert found == [f"http://a.example/live/{name}" for name in names]


@pytest.mark.parametrize("text", ["", "<html>", "#EXTINF:1,\nx.ts"])
def test_what_is_no_playlist_is_no_stream(text: str) -> None:
    with pytest.raises(errors.SourceNotMedia):
        live.Playlist.parse(text, "http://a.example/")


def test_segments_without_seconds_do_not_go_on_for_ever() -> None:
    text = "#EXTM3U\n#EXT-X-ENDLIST\n" + "#EXTINF:0,\nx.ts\n" * 60_000
    with pytest.raises(errors.SourceTooLong):
        list(live.Recording(lambda url: (text, url), "http://a.example/x", seconds=60).addresses())


class Stream:
    """A playlist whose window is moved by hand."""

    def __init__(self, numbers: range, *, beginning: str | None = None, has_ended: bool = True) -> None:
        self.numbers, self.beginning, self.has_ended = numbers, beginning, has_ended

    def read(self, url: str) -> tuple[str, str]:
        lines = ["#EXTM3U", f"#EXT-X-MEDIA-SEQUENCE:{self.numbers.start}", "#EXT-X-TARGETDURATION:2"]
        lines += [f'#EXT-X-MAP:URI="{self.beginning}"'] if self.beginning else []
        lines += [f"#EXTINF:2,\n{number}.m4s" for number in self.numbers]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if self.has_ended else [])]), url

    def recording(self, *, seconds: float = 60) -> live.Recording:
        return live.Recording(self.read, "http://a.example/live/x", seconds=seconds)


def _names(recording: live.Recording) -> list[str]:
    """What it goes on with, all of which is taken to have been appended."""
    names = []
    for address in recording.addresses():
        names.append(address.rpartition("/")[2])
        recording.appended()
    return names


def _gone_on(
    before: live.Recording, stream: Stream, *, seconds: float = 60, has_beginning: bool = True
) -> live.Recording:
    recording = stream.recording(seconds=seconds)
    recording.go_on(before.place.number, before.place.digest, has_beginning=has_beginning)
    return recording


def test_recording_goes_on_behind_its_last_segment_until_all_its_seconds_are_together() -> None:
    first = Stream(range(5)).recording()
    assert _names(first) == [f"{number}.m4s" for number in range(5)]
    later = _gone_on(first, Stream(range(2, 20)), seconds=14)
    assert _names(later) == ["5.m4s", "6.m4s"]
    assert (later.place.recorded_s, later.place.missing_s) == (14, 0)


def test_what_is_gone_counts_as_if_it_had_come() -> None:
    first = Stream(range(5)).recording()
    _names(first)
    later = _gone_on(first, Stream(range(8, 20)), seconds=20)
    assert _names(later) == ["8.m4s", "9.m4s"]
    assert (later.place.recorded_s, later.place.missing_s) == (14, 6)
    assert live.noted("720p", {"fragments": later}) == "720p, 6 s missing"
    last = _gone_on(later, Stream(range(30, 40)), seconds=30)
    assert _names(last) == []  # its time is over


def test_stream_that_counts_anew_is_another() -> None:
    first = Stream(range(100, 105)).recording()
    _names(first)
    assert _names(_gone_on(first, Stream(range(20)))) == []


@pytest.mark.parametrize(("beginning", "has_beginning", "expected"), [
    ("init.mp4?token=2", True, ["5.m4s"]), ("init.mp4", False, ["init.mp4", "5.m4s"]),
    ("other.mp4", True, ["other.mp4", "5.m4s"]), (None, True, ["5.m4s"]),
])  # fmt: skip
def test_beginning_is_in_each_file_once(beginning: str | None, has_beginning: bool, expected: list[str]) -> None:  # noqa: FBT001 - of the table above
    first = Stream(range(5), beginning="init.mp4").recording()
    assert _names(first)[0] == "init.mp4"
    later = _gone_on(first, Stream(range(6), beginning=beginning), has_beginning=has_beginning)
    assert [name.partition("?")[0] for name in _names(later)] == expected


@pytest.mark.parametrize("digest", ["", "0" * 63, "g" * 64, "0" * 65])
def test_damaged_account_of_a_recording_is_not_gone_on_with(digest: str) -> None:
    with pytest.raises(errors.SourceChanged):
        Stream(range(5)).recording().go_on(3, digest, has_beginning=True)


def test_account_of_a_recording_has_its_length_whatever_is_in_it() -> None:
    place = live.Place(number=1, recorded_s=10.0**12, missing_s=1.5, beginning="/init.mp4")
    assert len(place.digest) == len(live.Place().digest) == 64
    assert live.Place.of(1, place.digest).missing_s == 1.5
