"""DASH manifests (ISO 23009-1), and what else XML can do."""

from reelhaul.options import Options
from tests.hostile.cases.codes import LIVE, NOT_FOUND, REFUSED, SITE, TOO_LARGE, UNSUPPORTED
from tests.hostile.running import DONE, Case
from tests.hostile.servers import Page, page, redirect

_NAMESPACE = 'xmlns="urn:mpeg:dash:schema:mpd:2011"'
_TIMES = 'timescale="1" duration="2" startNumber="0"'
_INSIDE = "http://10.0.0.1"
_LAUGHS = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))


def manifest(
    *, before: str = "", mpd_level: str = "", period: str = "", set_level: str = "", inner: str, kind: str = "static"
) -> str:
    about = 'id="1" bandwidth="100000" width="320" height="180" codecs="avc1.64001f"'
    representation = f"<Representation {about}>{inner}</Representation>"
    adaptation = f'<AdaptationSet mimeType="video/mp4">{set_level}{representation}</AdaptationSet>'
    body = f"{mpd_level}<Period>{period}{adaptation}</Period>"
    return f'<?xml version="1.0"?>{before}<MPD {_NAMESPACE} type="{kind}" mediaPresentationDuration="PT2S">{body}</MPD>'


def _template(media: str = "$Number$.m4s", initialization: str = "init.m4s") -> str:
    return f'<SegmentTemplate {_TIMES} media="{media}" initialization="{initialization}"/>'


def _case(
    name: str, text: str, expected: str = REFUSED, *, more: dict[str, Page] | None = None, **fields: object
) -> Case:
    pages = {"/start.mpd": page(text, "mpd"), **(more or {})}
    return Case(family="DASH", name=name, url=f"{SITE}/start.mpd", expected=expected, pages=pages, **fields)  # type: ignore[arg-type]


def _entity(definition: str, use: str = "&x;") -> str:
    return manifest(before=f"<!DOCTYPE MPD [{definition}]>", inner=f"<BaseURL>{use}</BaseURL>")


_LIST = (
    f'<SegmentList {_TIMES}><Initialization sourceURL="{_INSIDE}/i.m4s"/>'
    f'<SegmentURL media="{_INSIDE}/1.m4s"/></SegmentList>'
)
_INCLUDE = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{_INSIDE}/x"/>'
_INCLUDED = f"{_INCLUDE}<BaseURL>/clip.mp4</BaseURL>"
_TIMELINE = '<SegmentTimeline><S t="0" d="1" r="1000000000"/></SegmentTimeline>'
_SUBTITLED = (
    '<AdaptationSet contentType="text" lang="en" mimeType="text/vtt"><Representation id="s" bandwidth="1">'
    f"<BaseURL>{_INSIDE}/en.vtt</BaseURL></Representation></AdaptationSet>"
)

CASES = [
    _case("BaseURL of the manifest", manifest(mpd_level=f"<BaseURL>{_INSIDE}/</BaseURL>", inner=_template())),
    _case("BaseURL of the period", manifest(period="<BaseURL>http://169.254.169.254/</BaseURL>", inner=_template())),
    _case("BaseURL of the set", manifest(set_level="<BaseURL>http://[::1]/</BaseURL>", inner=_template())),
    _case("BaseURL of the representation", manifest(inner="<BaseURL>http://127.0.0.1:9001/clip.mp4</BaseURL>")),
    _case("BaseURL by name", manifest(mpd_level="<BaseURL>//metadata.example/</BaseURL>", inner=_template())),
    _case(
        "BaseURL of files",
        manifest(mpd_level="<BaseURL>file:///etc/</BaseURL>", inner="<BaseURL>passwd</BaseURL>"),
        NOT_FOUND,
    ),
    _case(
        "media template",
        manifest(inner=_template(media=f"{_INSIDE}/$Number$.m4s", initialization="/dash/init-stream0.m4s")),
    ),
    _case("initialization template", manifest(inner=_template(initialization=f"{_INSIDE}/init.m4s"))),
    _case(
        "template into files",
        manifest(inner=_template(media="file:///etc/$Number$", initialization="file:///etc/hosts")),
        UNSUPPORTED,
    ),
    _case(
        "segment list",
        manifest(inner=_LIST),
    ),
    _case(
        "initialization that redirects",
        manifest(inner=_template(initialization="/to.m4s")),
        more={"/to.m4s": redirect(f"{_INSIDE}/init.m4s")},
    ),
    _case(
        "subtitles",
        manifest(period=_SUBTITLED, inner="<BaseURL>/clip.mp4</BaseURL>"),
        DONE,
        options=Options(subtitles=("en",)),
    ),
    _case("external entity of a file", _entity('<!ENTITY x SYSTEM "file:///etc/passwd">'), UNSUPPORTED),
    _case("external entity of the inside", _entity(f'<!ENTITY x SYSTEM "{_INSIDE}/x">'), UNSUPPORTED),
    _case(
        "external DTD",
        manifest(before=f'<!DOCTYPE MPD SYSTEM "{_INSIDE}/evil.dtd">', inner="<BaseURL>/clip.mp4</BaseURL>"),
        DONE,
    ),
    _case("parameter entity", _entity(f'<!ENTITY % x SYSTEM "{_INSIDE}/x.dtd"> %x;', "/clip.mp4"), DONE),
    _case(
        "included by XInclude",
        manifest(inner=_INCLUDED),
        DONE,
    ),
    _case(
        "period elsewhere",
        manifest(
            mpd_level=f'<Period xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{_INSIDE}/p.xml"/>',
            inner="<BaseURL>/clip.mp4</BaseURL>",
        ),
        DONE,
    ),
    _case("billion laughs", _entity(f'<!ENTITY a "ha">{_LAUGHS}', "&j;"), UNSUPPORTED),
    _case("quadratic blow-up", _entity(f'<!ENTITY x "{"x" * 100_000}">', "&x;" * 20_000), UNSUPPORTED),
    _case(
        "a billion segments",
        manifest(inner=f'<SegmentTemplate timescale="1" media="$Number$.m4s">{_TIMELINE}</SegmentTemplate>'),
        TOO_LARGE,
    ),
    _case("live", manifest(kind="dynamic", inner=_template()), LIVE),
    _case("deeply nested", "<MPD>" + "<a>" * 100_000 + "</a>" * 100_000 + "</MPD>", UNSUPPORTED),
]
