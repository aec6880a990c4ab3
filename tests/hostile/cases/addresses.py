"""Addresses of the inside, in every notation that some resolver takes for one."""

from tests.hostile.cases.codes import REFUSED, UNREACHABLE, UNSUPPORTED
from tests.hostile.running import Case

_HOSTS = (
    # this machine
    "127.0.0.1", "127.1", "127.127.127.127", "2130706433", "0x7f000001", "0x7F.1", "0177.0.0.1",
    "0", "0.0.0.0", "localhost",
    # the metadata services
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.16689662",
    "169.254.43518", "169.254.170.2", "100.100.100.200",
    # private and special networks
    "10.0.0.1", "167772161", "172.16.0.1", "192.168.0.1", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    # IPv6
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]",
    "[::ffff:0:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a00:1]", "[2002:7f00:1::1]", "[2001:0:4136:e378::1]", "[fd00:ec2::254]", "[fc00::1]", "[fe80::1]",
    "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]",
    # digits of other scripts, which some normalise: IDNA makes them plain ones, and dots of the full stop in Chinese
    "①⑥⑨.②⑤④.①⑥⑨.②⑤④", "１２７.０.０.１", "169。254。169。254", "ⓛocalhost",  # noqa: RUF001 - that is what they are for
)  # fmt: skip
_ELSE = {
    "127.0.0.1.": UNREACHABLE,  # no number any more, and no name either
    "localhost.": UNREACHABLE,
    "[fe80::1%25lo]": UNSUPPORTED,
    "[fe80::1%lo]": UNSUPPORTED,
    "256.256.256.256": UNREACHABLE,
    "0x7f.0x0.0x0.0x100": UNREACHABLE,
}

CASES = [
    *(Case(family="address", name=host, url=f"http://{host}/clip.mp4", expected=REFUSED) for host in _HOSTS),
    *(Case(family="address", name=host, url=f"http://{host}/clip.mp4", expected=code) for host, code in _ELSE.items()),
    *(
        Case(family="address", name=f"{host}, through a tunnel", url=f"https://{host}/clip.mp4", expected=REFUSED)
        for host in ("2130706433", "169.254.169.254", "[::1]", "[fd00:ec2::254]")
    ),
]
