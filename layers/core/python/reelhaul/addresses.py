"""Which numeric addresses count as public. Pure; names are resolved elsewhere, and every answer is judged here.

The lists are IANA's special-purpose registries (https://www.iana.org/assignments/iana-ipv4-special-registry and
.../iana-ipv6-special-registry, with RFC 6890 and RFC 8190). They are spelled out because the standard library is no
substitute: Python 3.11's `ipaddress.is_global` lets multicast, NAT64, 6to4 and IPv4-compatible addresses through, and
`not is_private` lets 100.64.0.0/10 through, and both change between patch releases.
"""

import ipaddress

WEB_PORTS = frozenset({80, 443})

_DENIED_V4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private use, RFC 1918
        "100.64.0.0/10",  # shared address space of carriers, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927: the cloud's metadata services live here
        "172.16.0.0/12",  # private use, RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private use, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved and broadcast, RFC 1112, RFC 919
    )
)

# Nothing outside of this is handed out as global unicast (RFC 4291). That alone refuses ::, ::1, IPv4-mapped and
# IPv4-compatible addresses, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), 100::/64, 5f00::/16, fc00::/7, fe80::/10, ff00::/8.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocol assignments, among them Teredo, ORCHID and benchmarking, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, which embeds an IPv4 address, RFC 3056
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3fff::/20",  # documentation, RFC 9637
    )
)


def is_public(address: str, port: int, *, ports: frozenset[int] = WEB_PORTS) -> bool:
    """Whether a TCP connection to this numeric address may be opened on a user's behalf.

    Anything that is not plainly a public address is not: names, other notations of numbers, scoped addresses.
    """
    if port not in ports or "%" in address:
        return False
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv4Address):
        return not any(number in block for block in _DENIED_V4)
    return number in _GLOBAL_V6 and not any(number in block for block in _DENIED_V6)
