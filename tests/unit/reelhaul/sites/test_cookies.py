"""Cookies as browsers' exporters write them."""

import http.cookiejar
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelhaul.errors import InvalidRequest
from reelhaul.sites.cookies import Cookie, Selection, select, written

NOW = 1_795_305_600.0
FUTURE, PAST = int(NOW) + 1000, int(NOW) - 1000
SECRET = "s3cr3t-v4lu3"


def line(
    domain: str = "example.com", below: str = "FALSE", path: str = "/", secure: str = "FALSE",
    expires: object = 0, name: str = "session", value: str = SECRET,
) -> str:  # fmt: skip
    return "\t".join((domain, below, path, secure, str(expires), name, value))


def selected(*lines: str, site: str = "example.com", end: str = "\n") -> Selection:
    return select(end.join(lines), site, now=NOW)


def test_cookie_is_read_with_all_it_says() -> None:
    (cookie,) = selected(line(".example.com", "TRUE", "/watch", "TRUE", FUTURE)).cookies
    assert cookie == Cookie(
        domain="example.com",
        with_subdomains=True,
        path="/watch",
        is_secure=True,
        expires_at=FUTURE,
        name="session",
        value=SECRET,
    )


def test_browsers_peculiarities_are_understood() -> None:
    found = selected(
        "\ufeff# Netscape HTTP Cookie File", "# https://curl.se/docs/http-cookies.html", "", "   ",
        "#HttpOnly_" + line(name="http-only"), line(name="no-time", expires=""), line(name="never", expires=-1),
        line(name="fraction", expires=f"{FUTURE}.25"), line(name="empty", value="").rstrip("\t"),
        line(name="quoted", value='"a, b=c"'), line("Example.COM", name="case"),
        end="\r\n",
    )  # fmt: skip
    by_name = {cookie.name: cookie for cookie in found.cookies}
    assert list(by_name) == ["http-only", "no-time", "never", "fraction", "empty", "quoted", "case"]
    assert [by_name[name].expires_at for name in ("no-time", "never", "fraction")] == [None, None, FUTURE]
    assert (by_name["empty"].value, by_name["quoted"].value) == ("", '"a, b=c"')
    assert by_name["case"].domain == "example.com"


def test_other_sites_and_what_is_over_are_left_out_and_counted() -> None:
    found = selected(
        line(name="own"), line("www.example.com", name="below", expires=FUTURE), line(name="over", expires=PAST),
        line("badexample.com"), line(".com", "TRUE"), line("other.example"), line("other.example", expires=PAST),
    )  # fmt: skip
    assert [cookie.name for cookie in found.cookies] == ["own", "below"]
    assert (found.expired, found.foreign, found.first_expiry) == (1, 4, FUTURE)


def test_cookies_of_the_whole_domain_are_named_where_a_part_of_it_is_meant() -> None:
    found = selected(line(), line("tv.example.com"), line("video.example.com"), site="tv.example.com")
    assert [cookie.domain for cookie in found.cookies] == ["tv.example.com"]
    assert dict(found.above) == {"example.com": 1}


@pytest.mark.parametrize(
    "bad",
    [
        '[{"domain": "example.com", "name": "session"}]',
        f"session={SECRET}; other=1",
        line().replace("\t", " "),
        line() + "\tmore",
        line(below="YES"),
        line(secure="0"),
        line(path="watch"),
        line(path="/a;b"),
        line(path="/a b"),
        line(expires="tomorrow"),
        line(expires="1e9"),
        line(name=""),
        line(name="a b"),
        line(name="a=b"),
        line(value=SECRET + ";"),
        line(value=SECRET + "\r\nX: y".replace("\n", "")),
        line(value=SECRET + "\0"),
        line(value=SECRET + "é"),
    ],
)
def test_malformed_line_is_named_by_its_number_and_never_shown(bad: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^Line 3 of the cookies: .*\.$") as caught:
        selected("# Netscape HTTP Cookie File", line("other.example"), bad)
    assert SECRET not in str(caught.value)
    assert "session" not in str(caught.value)


def test_what_is_wrong_with_another_sites_cookie_is_nobodys_business() -> None:
    assert selected(line("other.example", value="é"), line()).foreign == 1


def test_no_value_is_in_what_a_cookie_looks_like() -> None:
    found = selected(line())
    assert SECRET not in repr(found)


def test_other_programs_read_what_is_written(tmp_path: Path) -> None:
    text = written(selected(line(".example.com", "TRUE", expires=FUTURE), line(name="own")).cookies)
    jar = http.cookiejar.MozillaCookieJar(tmp_path / "cookies.txt")
    (tmp_path / "cookies.txt").write_text(f"# Netscape HTTP Cookie File\n{text}")
    jar.load(ignore_discard=True, ignore_expires=True)
    assert {(cookie.domain, cookie.name, cookie.value) for cookie in jar} == {
        (".example.com", "session", SECRET),
        ("example.com", "own", SECRET),
    }


_PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=";")
_NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="=;,"), min_size=1)
_COOKIES = st.builds(
    Cookie,
    domain=st.sampled_from(["example.com", "www.example.com"]),
    with_subdomains=st.booleans(),
    path=st.just("/"),
    is_secure=st.booleans(),
    expires_at=st.none() | st.integers(FUTURE, 10**12),
    name=_NAMES,
    value=st.text(_PRINTABLE),
)


@given(st.lists(_COOKIES, max_size=5))
def test_what_is_written_is_read_again(cookies: list[Cookie]) -> None:
    assert list(select(written(cookies), "example.com", now=NOW).cookies) == cookies


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert select(text, "example.com", now=NOW).cookies is not None
    except InvalidRequest as error:
        assert error.field == "cookies"  # noqa: PT017 - either is fine, and nothing else
