"""Public addresses are let through, everything else is not, however it is written."""

import pytest

from reelhaul.addresses import is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:200::1",
    "2a00:1450:4001:81b::200e",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.1.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
NOT_NUMBERS = [
    "",
    " ",
    "localhost",
    "example.com",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "8.8.8",
    "8.8.8.8.",
    "8.8.8.8 ",
    "8.8.8.8/32",
    "[2606:4700:4700::1111]",
    "2606:4700:4700::1111%eth0",
    "fe80::1%1",
    "٨.٨.٨.٨",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_let_through(address: str) -> None:
    assert is_public(address, 443)
    assert is_public(address, 80)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_special_address_is_refused(address: str) -> None:
    assert not is_public(address, 443)


@pytest.mark.parametrize("address", NOT_NUMBERS)
def test_anything_but_a_plain_number_is_refused(address: str) -> None:
    assert not is_public(address, 443)


@pytest.mark.parametrize("port", [0, 22, 25, 81, 3306, 6379, 8080, 8443, 65_535])
def test_port_that_is_not_the_webs_is_refused(port: int) -> None:
    assert not is_public("8.8.8.8", port)


def test_ports_can_be_chosen() -> None:
    assert is_public("8.8.8.8", 8080, ports=frozenset({8080}))
    assert not is_public("127.0.0.1", 8080, ports=frozenset({8080}))
