"""What a user may ask for."""

import pytest

from reelhaul.errors import InvalidRequest
from reelhaul.options import DOWNLOAD_TYPES, QUALITIES, DownloadRequest, clean_text

URL = "https://media.example/a.mp4"


def test_the_first_contracts_defaults() -> None:
    request = DownloadRequest(url=URL)
    assert (request.name, request.quality, request.download_type) == (None, "best", "video")


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("download_type", DOWNLOAD_TYPES)
def test_every_known_option_is_accepted(quality: str, download_type: str) -> None:
    assert DownloadRequest(url=URL, quality=quality, download_type=download_type).quality == quality


@pytest.mark.parametrize(
    ("field", "value"),
    [("quality", ""), ("quality", "720"), ("quality", "BEST"), ("quality", "4320p"), ("download_type", "both"),
     ("download_type", ""), ("url", "ytsearch:cats")],
)  # fmt: skip
def test_an_unknown_option_is_refused_naming_the_field(field: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DownloadRequest(**({"url": URL} | {field: value}))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("  two   words\t", "two words"),
        ("line\r\nbreak", "line break"),
        ("nul\x00byte", "nul byte"),
        ("\u202ereversed", "reversed"),
        ("zero\u200bwidth", "zero width"),
        ("half \ud800 surrogate", "half surrogate"),
        ("名前 🎬", "名前 🎬"),
        ("\n\t", ""),
    ],
)
def test_clean_text_reads_as_what_it_is(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned
