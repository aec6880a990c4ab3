"""HLS playlists (RFC 8216) whose parts are elsewhere."""

from reelhaul.options import Options
from tests.hostile.cases.codes import (
    DRM,
    LIVE,
    METADATA,
    NOT_FOUND,
    NOT_MEDIA,
    PRIVATE,
    REFUSED,
    RUNTIME,
    SITE,
    TOO_SLOW,
    UNSUPPORTED,
)
from tests.hostile.running import DONE, Case, Outcome
from tests.hostile.servers import Page, page, redirect

_HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
_END = "\n#EXT-X-ENDLIST\n"
_FIRST = "#EXTINF:1,\n/hls/180-0.ts"
_INSIDE_SEGMENTS = {
    "the runtime API": RUNTIME.replace(".mp4", ".ts"),
    "the metadata service": METADATA.replace(".mp4", ".ts"),
    "a private address": "http://10.0.0.1/secret.ts",
    "IPv6": "http://[::1]/secret.ts",
    "a name of the inside": "http://private.example/secret.ts",
    "no scheme": "//10.0.0.1/secret.ts",
    "another port": f"{SITE}:6379/secret.ts",
}
_OTHER_PROTOCOLS = {
    "file:///etc/passwd": UNSUPPORTED,
    "concat:/etc/passwd|/etc/hosts": UNSUPPORTED,
    "subfile,,start,0,end,100,,:/etc/passwd": NOT_FOUND,  # a path at the source, for all that yt-dlp knows
    "/proc/self/environ": NOT_FOUND,
    "ftp://10.0.0.1/secret.ts": REFUSED,
    "rtmp://10.0.0.1/live": UNSUPPORTED,
    "data:video/mp2t;base64,AAAA": NOT_MEDIA,
}


def media(*lines: str) -> bytes:
    return page(_HEAD + "\n".join(lines) + _END, "m3u8")


def master(*lines: str, variant: str = "/hls/180.m3u8") -> bytes:
    return page(
        "\n".join(["#EXTM3U", *lines, "#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=320x180", variant, ""]), "m3u8"
    )


def _case(
    name: str, start: Page, expected: str = REFUSED, *, more: dict[str, Page] | None = None, **fields: object
) -> Case:
    pages = {"/start.m3u8": start, **(more or {})}
    return Case(family="HLS", name=name, url=f"{SITE}/start.m3u8", expected=expected, pages=pages, **fields)  # type: ignore[arg-type]


def subtitled(uri: str) -> bytes:
    lines = f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",LANGUAGE="en",URI="{uri}"'
    stream = '#EXT-X-STREAM-INF:BANDWIDTH=300000,SUBTITLES="s"'
    return page("\n".join(["#EXTM3U", lines, stream, "/hls/180.m3u8", ""]), "m3u8")


def _without_subtitles(outcome: Outcome) -> None:
    assert [extra.kind for extra in outcome.job.extras] == ["thumbnail"]


_ENGLISH = Options(subtitles=("en",))
_SOUND = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=YES,URI="http://10.0.0.1/a.m3u8"'
_WITH_SOUND = page(
    "\n".join(["#EXTM3U", _SOUND, '#EXT-X-STREAM-INF:BANDWIDTH=3,CODECS="avc1.64001f",AUDIO="a"', "/hls/180.m3u8", ""]),
    "m3u8",
)
_SEGMENTS = "".join(f"#EXTINF:1,\n/tiny?{number}\n" for number in range(100_000))

CASES = [
    *(_case(f"segment at {name}", media(_FIRST, "#EXTINF:1,", uri)) for name, uri in _INSIDE_SEGMENTS.items()),
    *(_case(f"segment {uri}", media("#EXTINF:1,", uri), code) for uri, code in _OTHER_PROTOCOLS.items()),
    _case("segment that redirects", media("#EXTINF:1,", "/to.ts"), more={"/to.ts": redirect(METADATA)}),
    _case(
        "second segment that redirects to a file",
        media(_FIRST, "#EXTINF:1,", "/to.ts"),
        UNSUPPORTED,
        more={"/to.ts": redirect("file:///etc/passwd")},
    ),
    _case("key inside", media(f'#EXT-X-KEY:METHOD=AES-128,URI="{PRIVATE.replace("clip.mp4", "s.key")}"', _FIRST)),
    _case(
        "key that redirects",
        media('#EXT-X-KEY:METHOD=AES-128,URI="/k"', _FIRST),
        more={"/k": redirect("http://127.0.0.1:9001/s.key")},
    ),
    _case("key from a file", media('#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/hostname"', _FIRST), UNSUPPORTED),
    _case("map inside", media('#EXT-X-MAP:URI="http://10.0.0.1/init.mp4"', _FIRST)),
    _case("map from a file", media('#EXT-X-MAP:URI="file:///etc/passwd"', _FIRST), UNSUPPORTED),
    _case("map with a range", media('#EXT-X-MAP:URI="http://[fd00:ec2::254]/init.mp4",BYTERANGE="100@0"', _FIRST)),
    _case("part of a segment inside", media("#EXT-X-BYTERANGE:100@0", "#EXTINF:1,", "http://10.0.0.1/secret.ts")),
    _case("variant inside", master(variant="http://10.0.0.1/180.m3u8")),
    _case("variant at the metadata service by its name", master(variant="http://metadata.example/180.m3u8")),
    _case("variant that redirects", master(variant="/v.m3u8"), more={"/v.m3u8": redirect("http://10.0.0.1/180.m3u8")}),
    _case("variant from a file", master(variant="file:///etc/passwd"), UNSUPPORTED),
    _case("variant that is itself", master(variant="/start.m3u8"), LIVE),
    _case("sound inside", _WITH_SOUND),
    _case("subtitles inside", subtitled("http://10.0.0.1/en.vtt"), DONE, options=_ENGLISH, check=_without_subtitles),
    _case("subtitles from a file", subtitled("file:///etc/passwd"), DONE, options=_ENGLISH, check=_without_subtitles),
    _case(
        "segment of subtitles inside",
        subtitled("/en.m3u8"),
        DONE,
        options=_ENGLISH,
        check=_without_subtitles,
        more={"/en.m3u8": media("#EXTINF:1,", "http://169.254.169.254/secret.vtt")},
    ),
    _case(
        "playlist as a segment",
        media("#EXTINF:1,", "/list.ts"),
        NOT_MEDIA,
        more={"/list.ts": page(_HEAD + "#EXTINF:1,\nfile:///etc/passwd" + _END, "ts")},
    ),
    _case("SAMPLE-AES", media('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="http://10.0.0.1/s.key"', _FIRST), UNSUPPORTED),
    _case(
        "FairPlay",
        media('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://10.0.0.1/",KEYFORMAT="com.apple.streamingkeydelivery"', _FIRST),
        DRM,
    ),
    _case("live", page(_HEAD + "#EXT-X-MEDIA-SEQUENCE:7\n" + _FIRST + "\n", "m3u8"), LIVE),
    _case("live that begins inside", page(_HEAD + "#EXTINF:1,\nhttp://10.0.0.1/secret.ts\n", "m3u8"), LIVE),
    _case(
        "100,000 segments",
        page(_HEAD + _SEGMENTS + _END, "m3u8"),
        TOO_SLOW,
        more={"/tiny": page(b"\x47" + bytes(187), "ts")},
        seconds=20,
    ),
    _case(
        "100,000 variants",
        page(
            "#EXTM3U\n" + "".join(f"#EXT-X-STREAM-INF:BANDWIDTH={n}\n/v{n}.m3u8\n" for n in range(1, 100_001)), "m3u8"
        ),
        TOO_SLOW,
        seconds=15,
    ),
    _case("segment that is missing", media(_FIRST, "#EXTINF:1,", "/nowhere.ts"), NOT_FOUND),
    _case("endless lines", page("#EXTM3U\n" + "#" * 20_000_000, "m3u8"), UNSUPPORTED),
]
