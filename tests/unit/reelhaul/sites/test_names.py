"""What a site is, and which hosts belong to one."""

import pytest

from reelhaul.errors import InvalidRequest
from reelhaul.sites.names import check_site, host_of, is_within, site_of


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("example.com", "example.com"),
        ("Video.Example.COM", "video.example.com"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("my_host.example.com", "my_host.example.com"),
    ],
)
def test_site_is_kept_in_one_notation(given: str, stored: str) -> None:
    assert check_site(given) == stored


@pytest.mark.parametrize(
    "given",
    [
        "", ".", "com", "localhost", ".example.com", "example.com.", "example..com", "https://example.com",
        "example.com/watch", "example.com:443", "user@example.com", "exa mple.com", "*.example.com", "-a.example.com",
        "0.0.1", "1.2.3.4.5", "2130706433", "[::1]", "::1", "a" * 64 + ".com", "a." * 127 + "com", "a\n.com",
    ],
)  # fmt: skip
def test_what_cannot_be_a_site_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_site(given)
    assert caught.value.field == "site"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://WWW.Example.com:8443/watch?v=1", "www.example.com"),
        ("https://example.com./", "example.com"),
        ("https://münchen.example/", "xn--mnchen-3ya.example"),
        ("http://example.com@evil.example/", "evil.example"),
        ("http://[::1]/", "::1"),
        ("http://[/", None),
        ("http:///path", None),
        ("http://" + "a" * 70 + ".example/", None),
    ],
)
def test_host_of_a_url_is_in_the_same_notation(url: str, host: str | None) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("host", "site", "within"),
    [
        ("example.com", "example.com", True),
        ("www.example.com", "example.com", True),
        ("a.b.example.com", "example.com", True),
        ("badexample.com", "example.com", False),
        ("example.com", "www.example.com", False),
        ("example.com.evil.example", "example.com", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("9.127.0.0.1", "127.0.0.1", False),
    ],
)
def test_site_is_a_host_and_all_below_it(host: str, site: str, within: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_within(host, site) is within


def test_of_several_sites_the_longest_counts() -> None:
    sites = ["example.com", "video.example.com", "other.example"]
    assert site_of("a.video.example.com", sites) == "video.example.com"
    assert site_of("www.example.com", sites) == "example.com"
    assert site_of("example.org", sites) is None
    assert site_of("example.com", []) is None
