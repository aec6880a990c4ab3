"""Redirects of every kind to every kind of inside."""

from collections.abc import Mapping

from tests.hostile.cases.codes import METADATA, NOT_FOUND, PRIVATE, REFUSED, RUNTIME, SITE, UNREACHABLE, UNSUPPORTED
from tests.hostile.running import DONE, Case
from tests.hostile.servers import Page, page, redirect

_TARGETS = {
    RUNTIME: REFUSED,
    METADATA: REFUSED,
    PRIVATE: REFUSED,
    "https://169.254.169.254/clip.mp4": REFUSED,
    "http://2130706433/clip.mp4": REFUSED,
    "http://0/clip.mp4": REFUSED,
    "http://[::1]/clip.mp4": REFUSED,
    "http://[::ffff:169.254.169.254]/clip.mp4": REFUSED,
    "http://[64:ff9b::a9fe:a9fe]/clip.mp4": REFUSED,
    "http://metadata.example/clip.mp4": REFUSED,
    "http://mixed.example/clip.mp4": REFUSED,
    "http://videos.example:22/clip.mp4": REFUSED,
    "http://me:secret@10.0.0.1/clip.mp4": REFUSED,
    "//10.0.0.1/clip.mp4": REFUSED,
    "\\\\10.0.0.1\\clip.mp4": NOT_FOUND,
    "file:///etc/passwd": UNSUPPORTED,
    "ftp://10.0.0.1/clip.mp4": UNSUPPORTED,
    "gopher://10.0.0.1:6379/_FLUSHALL": UNSUPPORTED,
    "data:video/mp4;base64,AAAA": UNSUPPORTED,
    "http://": UNSUPPORTED,
    "http://nobody.example/clip.mp4": UNREACHABLE,
}


def _case(name: str, pages: Mapping[str, Page], expected: str = REFUSED, url: str = f"{SITE}/start") -> Case:
    return Case(family="redirect", name=name, url=url, expected=expected, pages=pages)


CASES = [
    *(_case(f"to {target}", {"/start": redirect(target)}, code) for target, code in _TARGETS.items()),
    *(
        _case(f"{status} to the metadata service", {"/start": redirect(METADATA, f"{status} Elsewhere")})
        for status in (301, 303, 307, 308)
    ),
    _case("from TLS", {"/start": redirect(METADATA)}, url="https://videos.example/start"),
    _case(
        "after some harmless ones",
        {f"/{n}": redirect(f"/{n + 1}") for n in range(5)} | {"/5": redirect(PRIVATE)},
        url=f"{SITE}/0",
    ),
    _case("around in a circle", {"/start": redirect("/again"), "/again": redirect("/start")}, UNSUPPORTED),
    _case("of a name that rebinds", {"/start": redirect("/clip.mp4")}, url="http://rebinding.example/start"),
    _case(
        "with two locations",
        {"/start": page("", "text/plain", f"Location: {SITE}/clip.mp4", f"Location: {METADATA}", status="302 Found")},
        NOT_FOUND,  # they are one, with a comma
    ),
    _case("Refresh header", {"/start": page("<html></html>", "html", f"Refresh: 0; url={METADATA}")}),
    _case("meta refresh", {"/start": page(f'<html><meta http-equiv="refresh" content="0;url={METADATA}"></html>')}),
    _case(
        "meta refresh to a file",
        {"/start": page('<html><meta http-equiv="refresh" content="0;url=file:///etc/passwd"></html>')},
        UNSUPPORTED,
    ),
    _case("to a harmless place", {"/start": redirect("https://www.videos.example/clip.mp4")}, DONE),
]
