import pytest

from reelhaul.errors import SiteNotAllowed
from reelhaul.site_policy import SitePolicy, plain_host

ONLY = SitePolicy(allowed=frozenset({"example.com", "xn--bcher-kva.example"}))
ALL_BUT = SitePolicy(denied=frozenset({"example.com", "xn--bcher-kva.example"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a",
        "https://EXAMPLE.com:8443/a",
        "http://www.example.com",
        "http://a.b.c.example.com/",
        "https://example.com./a",
        "https://b\u00fccher.example/a",
        "https://B\u00dcCHER.example/a",
        "https://www.xn--bcher-kva.example/a",
        "https://\uff45xample.com/a",  # a full-width letter, which is looked up as the plain one
        "https://example\u3002com/a",  # an ideographic full stop, likewise
    ],
)
def test_a_site_stands_for_itself_and_its_subdomains_however_it_is_written(url: str) -> None:
    ONLY.check(url)
    with pytest.raises(SiteNotAllowed):
        ALL_BUT.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://notexample.com/",
        "https://example.com.evil.example/",
        "https://example.org/example.com",
        "https://com/",
        "https://127.0.0.1/",
        "https://[2001:db8::1]/",
        "https://ex%61mple.com/",  # no name at all: nothing unescapes a host before it is looked up
        f"https://{'a' * 64}.example.net/",  # no name either
    ],
)
def test_what_only_looks_like_a_site_is_another_one(url: str) -> None:
    ALL_BUT.check(url)
    with pytest.raises(SiteNotAllowed):
        ONLY.check(url)


def test_without_a_list_every_site_is_allowed() -> None:
    SitePolicy().check("https://anything.example/")


def test_denied_wins_over_allowed() -> None:
    policy = SitePolicy(allowed=frozenset({"example.com"}), denied=frozenset({"private.example.com"}))
    policy.check("https://public.example.com/")
    with pytest.raises(SiteNotAllowed):
        policy.check("https://www.private.example.com/")


def test_the_field_that_is_to_blame_is_named() -> None:
    with pytest.raises(SiteNotAllowed) as refused:
        ONLY.check("https://example.net/", field="stream_link")
    assert refused.value.field == "stream_link"


def test_what_is_no_name_is_compared_as_it_is() -> None:
    assert plain_host("a" * 64 + ".Example") == "a" * 64 + ".example"
