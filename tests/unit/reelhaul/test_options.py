"""What a user may ask for."""

import pytest

from reelhaul.errors import InvalidRequest
from reelhaul.options import (
    AUDIO_FORMATS,
    CONTAINERS,
    PLAYLIST_MODES,
    QUALITIES,
    Clip,
    DownloadRequest,
    Options,
    clean_text,
)

URL = "https://media.example/a.mp4"


def test_the_first_contracts_defaults() -> None:
    request = DownloadRequest(url=URL)
    assert (request.name, request.retention_days, request.callback_url) == (None, None, None)
    assert request.options == Options(
        quality="best", download_type="video", audio_format="best", container="mp4", subtitles=(), clip=None,
        playlist="auto", playlist_limit=1000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        *(Options(quality=quality) for quality in QUALITIES),
        *(Options(container=container) for container in CONTAINERS),
        *(Options(download_type="audio", audio_format=name) for name in AUDIO_FORMATS),
        *(Options(playlist=mode) for mode in PLAYLIST_MODES),
        Options(playlist_limit=1),
        Options(playlist_limit=1000),
        Options(subtitles=("en", "pt-BR", "zh-Hans", "sr-Latn-RS")),
        Options(clip=Clip(start_s=0, end_s=0.5)),
        Options(clip=Clip(start_s=86_399)),
        Options(download_type="audio", clip=Clip(start_s=1, end_s=2)),
    ],
)
def test_every_known_option_is_accepted(options: Options) -> None:
    assert DownloadRequest(url=URL, options=options).options == options


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("quality", Options(quality="")),
        ("quality", Options(quality="720")),
        ("quality", Options(quality="BEST")),
        ("quality", Options(quality="4320p")),
        ("download_type", Options(download_type="both")),
        ("audio_format", Options(download_type="audio", audio_format="aac")),
        ("audio_format", Options(audio_format="mp3")),
        ("container", Options(container="avi")),
        ("container", Options(download_type="audio", container="mkv")),
        ("playlist", Options(playlist="yes")),
        ("playlist_limit", Options(playlist_limit=0)),
        ("playlist_limit", Options(playlist_limit=1001)),
        ("subtitles", Options(subtitles=("en",) * 21)),
        *(("subtitles", Options(subtitles=(code,))) for code in ("", "e", "../x", "en_US", "en-", "all,-live", "ä")),
        *(
            ("clip", Options(clip=Clip(start_s=start, end_s=end)))
            for start, end in ((-1, 2), (2, 2), (3, 2), (0, 86_401), (86_400, None), (float("nan"), None))
        ),
    ],
)
def test_an_unknown_option_is_refused_naming_the_field(field: str, options: Options) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DownloadRequest(url=URL, options=options)
    assert caught.value.field == field


def test_a_source_that_is_no_url_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        DownloadRequest(url="ytsearch:cats")
    assert caught.value.field == "url"


@pytest.mark.parametrize("url", ["https://hooks.example/x?y=1", "HTTPS://hooks.example:8443/"])
def test_a_callback_over_https_is_accepted(url: str) -> None:
    assert DownloadRequest(url=URL, callback_url=url).callback_url == url


@pytest.mark.parametrize(
    "url", ["http://hooks.example/", "ftp://hooks.example/", "hooks.example", "", "https://user:pw@hooks.example/"]
)
def test_any_other_callback_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DownloadRequest(url=URL, callback_url=url)
    assert caught.value.field == "callback_url"


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
