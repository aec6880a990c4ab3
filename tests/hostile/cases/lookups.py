"""Names that lead inside, some of the time or all of it."""

from tests.hostile.cases.codes import REFUSED, UNREACHABLE, UNSUPPORTED
from tests.hostile.names import NAMES
from tests.hostile.running import DONE, Case, Outcome
from tests.hostile.servers import page

_INSIDE = (
    "loopback", "metadata", "private", "shared", "null", "loopback-v6", "unique-local", "mapped", "translated",
    "169.254.169.254.nip", "alias", "mixed", "mixed-first", "mixed-v6", "crowd",
)  # fmt: skip
_NOWHERE = ("nobody", "empty", "broken", "silent", "unknown")
_LATER = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhls/180-0.ts\n#EXTINF:2,\nhls/180-1.ts\n#EXT-X-ENDLIST\n"


def _looked_up_once(outcome: Outcome) -> None:
    """The answer that was judged is the one that is used, once per connection: there is no second one to be had."""
    name = outcome.job.url.split("/")[2]
    assert outcome.asked[name] == 2 * len(outcome.visited)  # for addresses of either kind


CASES = [
    *(
        Case(family="DNS", name=name, url=f"http://{name}.example/clip.mp4", expected=REFUSED)
        for name in _INSIDE
        if f"{name}.example" in NAMES
    ),
    *(Case(family="DNS", name=name, url=f"http://{name}.example/clip.mp4", expected=UNREACHABLE) for name in _NOWHERE),
    Case(family="DNS", name="no name at all", url="http://a..example/clip.mp4", expected=UNSUPPORTED),
    Case(family="DNS", name="label too long", url=f"http://{'a' * 64}.example/clip.mp4", expected=UNSUPPORTED),
    Case(
        family="DNS",
        name="both kinds of address",
        url="http://dual.example/clip.mp4",
        expected=DONE,
        check=_looked_up_once,
    ),
    Case(
        family="DNS",
        name="rebinding after the first connection",
        url="http://rebinding.example/clip.mp4",
        expected=REFUSED,
    ),
    Case(family="DNS", name="rebinding to IPv6", url="http://rebinding-v6.example/clip.mp4", expected=REFUSED),
    Case(
        family="DNS", name="rebinding through tunnels", url="https://rebinding-tls.example/clip.mp4", expected=REFUSED
    ),
    Case(
        family="DNS",
        name="rebinding between playlist and segment",
        url="http://rebinding-late.example/later.m3u8",
        expected=REFUSED,
        pages={"/later.m3u8": page(_LATER, "m3u8")},
    ),
]
