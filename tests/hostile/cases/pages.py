"""Web pages, feeds and playlists of other formats that name media elsewhere; pictures and lists that are too much."""

import json

from reelhaul.options import Options
from tests.hostile.cases.codes import METADATA, PRIVATE, REFUSED, RUNTIME, SITE, UNSUPPORTED
from tests.hostile.running import DONE, EXPANDED, Case, Outcome
from tests.hostile.servers import Page, page, redirect

_CLIP = '<video src="/clip.mp4"></video>'
_LIMIT = 25


def json_ld(**fields: object) -> str:
    described = {"@context": "https://schema.org", "@type": "VideoObject", "name": "A video", **fields}
    return f'<html><script type="application/ld+json">{json.dumps(described)}</script></html>'


def _og(**fields: str) -> str:
    metas = "".join(
        f'<meta property="og:{name.replace("__", ":")}" content="{value}">' for name, value in fields.items()
    )
    return f"<html><head>{metas}</head>{{}}</html>"


def _case(
    name: str,
    body: str,
    expected: str = REFUSED,
    *,
    kind: str = "html",
    more: dict[str, Page] | None = None,
    **fields: object,
) -> Case:
    pages = {"/start": page(body, kind), **(more or {})}
    return Case(family="page", name=name, url=f"{SITE}/start", expected=expected, pages=pages, **fields)  # type: ignore[arg-type]


def _has_a_frame(outcome: Outcome) -> None:
    """The picture is one of the video's own."""
    assert [(extra.kind, extra.content_type) for extra in outcome.job.extras] == [("thumbnail", "image/jpeg")]
    assert outcome.objects[outcome.job.extras[0].key].startswith(b"\xff\xd8\xff")


def _is_cut(outcome: Outcome) -> None:
    assert outcome.job.playlist is not None
    assert (outcome.job.playlist.total, outcome.job.playlist.truncated) == (_LIMIT, True)


def _thumbnail(name: str, url: str, more: dict[str, Page] | None = None) -> Case:
    body = _og(image=url, title="A video").format(_CLIP)
    return _case(f"thumbnail {name}", body, DONE, more=more, check=_has_a_frame)


def _feed(count: int) -> str:
    items = "".join(
        f'<item><title>{n}</title><enclosure url="{SITE}/{n}.mp4" type="video/mp4"/></item>' for n in range(count)
    )
    return f"<rss><channel><title>A feed</title>{items}</channel></rss>"


def _rss(link: str) -> str:
    return f"<rss><channel><item><title>x</title><link>{link}</link></item></channel></rss>"


_SMIL = f'<smil><head><meta base="{PRIVATE}"/></head><body><video src="{PRIVATE}"/></body></smil>'
_XSPF = f'<playlist xmlns="http://xspf.org/ns/0/"><trackList><track><location>{PRIVATE}</location></track></trackList></playlist>'
_F4M = (
    '<manifest xmlns="http://ns.adobe.com/f4m/1.0"><baseURL>http://10.0.0.1/</baseURL>'
    '<media url="x" bitrate="1"/></manifest>'
)
_ISM = (
    '<SmoothStreamingMedia MajorVersion="2" Duration="1">'
    '<StreamIndex Type="video" Url="http://10.0.0.1/{bitrate}/{start time}">'
    '<QualityLevel Bitrate="1" FourCC="H264" MaxWidth="1" MaxHeight="1"/><c t="0" d="1"/>'
    "</StreamIndex></SmoothStreamingMedia>"
)
_SVG = '<svg xmlns="http://www.w3.org/2000/svg"><image href="http://10.0.0.1/x.png"/></svg>'

CASES = [
    _case("JSON-LD contentUrl", json_ld(contentUrl=PRIVATE)),
    _case("JSON-LD contentUrl of the runtime API", json_ld(contentUrl=RUNTIME)),
    _case("JSON-LD embedUrl", json_ld(embedUrl=METADATA), UNSUPPORTED),
    _case("JSON-LD of a file", json_ld(contentUrl="file:///etc/passwd"), UNSUPPORTED),
    _case(
        "JSON-LD with orders for yt-dlp",
        json_ld(contentUrl=PRIVATE + "#__youtubedl_smuggle=%7B%22to_generic%22%3A+true%7D"),
    ),
    _case("video element", f'<html><video src="{PRIVATE}"></video></html>'),
    _case("source element", f'<html><video><source src="{METADATA}" type="video/mp4"></video></html>'),
    _case("source element of a file", '<html><video src="file:///etc/passwd"></video></html>', UNSUPPORTED),
    _case(
        "track element",
        '<html><video src="/clip.mp4"><track kind="subtitles" srclang="en" src="http://10.0.0.1/en.vtt"></video></html>',
        DONE,
        options=Options(subtitles=("en",)),
    ),
    _case(
        "poster",
        '<html><video src="/clip.mp4" poster="http://10.0.0.1/x.jpg"></video></html>',
        DONE,
        check=_has_a_frame,
    ),
    _case("Open Graph", _og(video=PRIVATE, video__type="video/mp4").format("")),
    _case("Twitter card", f'<html><meta name="twitter:player:stream" content="{METADATA}"></html>'),
    _case("Twitter player", f'<html><meta name="twitter:player" content="{PRIVATE}"></html>'),
    _case("JW Player", f'<html><script>jwplayer("x").setup({{"file": "{PRIVATE}"}});</script></html>'),
    _case("RSS item", _rss(PRIVATE), kind="application/rss+xml"),
    _case("RSS item of a file", _rss("file:///etc/passwd"), UNSUPPORTED, kind="application/rss+xml"),
    _case("SMIL", _SMIL, kind="application/smil"),
    _case("XSPF", _XSPF, kind="application/xspf+xml"),
    _case("F4M", _F4M, kind="application/f4m+xml"),
    _case("Smooth Streaming", _ISM, kind="text/xml"),
    _thumbnail("inside", "http://10.0.0.1/x.jpg"),
    _thumbnail("at the metadata service", "http://169.254.169.254/x.jpg"),
    _thumbnail("from a file", "file:///etc/passwd"),
    _thumbnail("that redirects inside", "/t.jpg", {"/t.jpg": redirect("http://[::1]/x.jpg")}),
    _thumbnail("that is SVG", "/t.svg", {"/t.svg": page(_SVG, "image/svg+xml")}),
    _thumbnail("that is HTML", "/t.jpg", {"/t.jpg": page("<script>alert(1)</script>", "jpg")}),
    _thumbnail("that is too large", "/t.jpg", {"/t.jpg": page(b"\xff\xd8\xff" + bytes(6 * 1024**2), "jpg")}),
    _case(
        "feed of 10,000",
        _feed(10_000),
        EXPANDED,
        kind="application/rss+xml",
        options=Options(playlist_limit=_LIMIT),
        check=_is_cut,
    ),
    _case(
        "10,000 videos",
        "<html>" + "".join(f'<video src="/{n}.mp4"></video>' for n in range(10_000)) + "</html>",
        EXPANDED,
        options=Options(playlist_limit=_LIMIT),
        check=_is_cut,
    ),
    _case("nothing at all", "<html><body>Nothing here.</body></html>", UNSUPPORTED),
    _case(
        "a page that links to itself",
        f'<html><meta http-equiv="refresh" content="0;url={SITE}/start?1"></html>',
        UNSUPPORTED,
    ),
]
