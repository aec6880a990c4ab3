import pytest

from reelhaul.connections import Connections

SOME = Connections("4,example.com=1,video.example.com=2,xn--bcher-kva.example=3")


@pytest.mark.parametrize(
    ("url", "most"),
    [
        ("https://example.org/a", 4),
        ("https://notexample.com/", 4),
        ("https://example.com.evil.example/", 4),
        ("https://127.0.0.1:8080/", 4),
        ("https://EXAMPLE.com/a", 1),
        ("https://www.example.com./a", 1),
        ("https://video.example.com/a", 2),
        ("https://a.video.example.com/a", 2),
        ("https://b\u00fccher.example/a", 3),
    ],
)
def test_site_may_have_a_number_of_its_own(url: str, most: int) -> None:
    assert SOME.to(url) == most


def test_one_number_is_for_all() -> None:
    assert Connections("7").to("https://example.com/") == 7


@pytest.mark.parametrize("text", ["", "many", "example.com=1", "4,example.com", "4,example.com=1=2", "4,"])
def test_what_is_no_such_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever of it is wrong
        Connections(text)
