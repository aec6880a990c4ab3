"""Which URLs may be submitted."""

import pytest

from reelhaul.errors import InvalidRequest
from reelhaul.sources import check_source


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example/a.mp4",
        "http://media.example:8080/a?b=c#d",
        "HTTPS://MEDIA.EXAMPLE/",
        "https://bücher.example/film",
        "https://media.example/%E4%B8%AD?q=a%20b",
        "https://media.example/a@b/c:d",
        "http://127.0.0.1:1/",  # where it leads is decided by the egress guard
        "https://[2001:db8::1]/a",
        "https://e.example/" + "a" * (2048 - 18),
    ],
)
def test_a_plain_http_url_may_be_submitted(url: str) -> None:
    check_source(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "media.example/a.mp4",
        "//media.example/a",
        "ftp://media.example/a",
        "file:///etc/passwd",
        "data:video/mp4;base64,AAAA",
        "javascript:alert(1)",
        "ytsearch:cats",
        "ytsearch10:cats",
        "rtmp://media.example/a",
        "https:",
        "https://",
        "https:///a",
        "https://:443/a",
        "https://media.example:99999/a",
        "https://media.example:port/a",
        "https://[::1/a",
        "https://inside.example\\.media.example/a",
        "https://media%2eexample/a",
        "https://[fe80::1%25eth0]/a",
        "https://user@media.example/a",
        "https://user:secret@media.example/a",
        "https://@media.example/a",
        "https://media.example/a b",
        " https://media.example/a",
        "https://media.example/a\n",
        "https://media.example/a\x00",
        "https://media.example/\u202egnp.mp4",
        "https://media.example/\ud800",
        "https://media.example/#__youtubedl_smuggle=%7B%7D",
        "https://e.example/" + "a" * (2048 - 17),
    ],
)
def test_everything_else_is_refused_naming_the_field(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_source(url, field="stream_link")
    assert caught.value.field == "stream_link"
    assert "stream_link" in str(caught.value)
