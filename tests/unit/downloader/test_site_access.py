"""What a job takes along of what is set for its site, and how the fetcher's jar keeps to it."""

import dataclasses
import json
import urllib.request

import pytest
from yt_dlp.cookies import YoutubeDLCookieJar

from downloader.answers import FetchRequest
from downloader.fetcher import cookies
from downloader.fetcher.request import MAX_REQUEST_BYTES, Request
from downloader.kernel import Support
from downloader.redaction import without
from downloader.site_access import SiteAccess
from reelhaul import errors
from reelhaul.errors import SiteUnreadable, SourceError
from reelhaul.sites.cookies import Cookie
from reelhaul.sites.store import MAX_SECRET_BYTES, Site

VALUE, PASSWORD = "s3cr3t-v4lu3", "pr0xy-p4ss"
TEXT = f"example.com\tFALSE\t/\tFALSE\t0\tsession\t{VALUE}\n"
COOKIE = Cookie(
    domain="example.com",
    with_subdomains=True,
    path="/members",
    is_secure=False,
    expires_at=None,
    name="session",
    value=VALUE,
)


def sent(url: str, **how: object) -> str | None:
    """The Cookie header that goes to `url`, with one cookie in the jar."""
    jar = YoutubeDLCookieJar()
    cookies.install(jar, [dataclasses.replace(COOKIE, **how)])  # type: ignore[arg-type]  # each test knows the fields
    request = urllib.request.Request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie")


@pytest.mark.parametrize(
    "url",
    ["http://example.com/members/a", "https://example.com:8443/members", "https://a.b.example.com/members/a"],
)
def test_cookie_goes_to_its_domain(url: str) -> None:
    assert sent(url) == f"session={VALUE}"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/others",
        "http://badexample.com/members",
        "http://example.com.evil.example/members",
        "http://example.com@evil.example/members",
        "http://com/members",
    ],
)
def test_cookie_goes_nowhere_else(url: str) -> None:
    assert sent(url) is None


def test_cookie_that_is_secure_or_over_is_held_back() -> None:
    assert sent("http://example.com/members", is_secure=True) is None
    assert sent("https://example.com/members", is_secure=True) is not None
    assert sent("http://example.com/members", expires_at=1) is None


def test_what_is_set_becomes_what_a_job_may_use() -> None:
    access = SiteAccess.to(Site(name="example.com", cookies=TEXT, proxy=f"http://user:{PASSWORD}@127.0.0.1:1"))
    assert [cookie.value for cookie in access.cookies] == [VALUE]
    assert access.upstream is not None
    assert SiteAccess.to(None) == SiteAccess()


@pytest.mark.parametrize("site", [{"cookies": "no cookies"}, {"proxy": f"socks5://{PASSWORD}@p:1"}, {"proxy": "x"}])
def test_what_makes_no_sense_is_unreadable_and_not_left_out(site: dict[str, str]) -> None:
    with pytest.raises(SiteUnreadable) as caught:
        SiteAccess.to(Site(name="example.com", **site))
    assert PASSWORD not in f"{caught.value} {caught.value.__cause__}"


def test_cookies_that_are_all_over_still_explain_why_nobody_is_logged_in() -> None:
    access = SiteAccess.to(Site(name="example.com", cookies=TEXT.replace("\t0\t", "\t1\t")))
    assert access.cookies == ()
    assert "may have expired" in str(access.explained(errors.SourceLoginRequired()))


@pytest.mark.parametrize("error", [errors.SourceNotFound(), errors.SourceRateLimited(retry_after_s=7)])
def test_error_that_has_nothing_to_do_with_a_login_stays_as_it_is(error: SourceError) -> None:
    assert SiteAccess(has_cookies=True).explained(error) is error


def test_explained_error_is_still_the_same_kind() -> None:
    told = SiteAccess().explained(errors.SourceBlocked(retry_after_s=7))
    assert (type(told), told.retry_after_s) == (errors.SourceBlocked, 7)
    assert str(told).startswith(errors.SourceBlocked.sentence)
    assert "`reelhaul sites set`" in str(told)


def test_as_many_cookies_as_a_secret_holds_reach_the_fetcher() -> None:
    smallest = "a.b\tFALSE\t/\tFALSE\t0\tn\t\n"
    count = MAX_SECRET_BYTES // len(smallest)
    request = FetchRequest(
        url="https://a.b/", max_bytes=1, cookies=SiteAccess.to(Site(name="a.b", cookies=smallest * count)).cookies
    )
    around = {"proxy": "http://u:p@127.0.0.1:1", "directory": "/x", "ends_at": 1.0}
    around |= {"kernel": dataclasses.asdict(Support(seccomp=True, landlock=True))}
    data = json.dumps({**dataclasses.asdict(request), **around}).encode()
    assert len(data) < MAX_REQUEST_BYTES
    assert Request.parse(data).cookies == request.cookies


def test_no_value_is_in_what_requests_look_like() -> None:
    request = FetchRequest(url="https://example.com/", max_bytes=1, cookies=(COOKIE,))
    assert VALUE not in repr(request)
    assert VALUE not in repr(SiteAccess(cookies=(COOKIE,)))


def test_longer_secrets_go_first_and_those_that_are_none_stay() -> None:
    assert without(["secret", "secret-and-more", "1", ""], "1 secret-and-more, secret") == "1 ***, ***"
