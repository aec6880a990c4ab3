"""What the contracts accept when a download is asked for."""

from typing import Any

import pytest

from reelhaul.contracts.requests import parse_download, parse_offline
from reelhaul.errors import InvalidRequest, NotSupported
from reelhaul.options import DownloadRequest

URL = "https://media.example/a.mp4"


def test_the_first_contract_needs_a_stream_link_only() -> None:
    assert parse_download({"stream_link": URL}, {}) == DownloadRequest(url=URL, quality="best")


def test_the_second_contract_needs_a_url_only_and_asks_for_720p() -> None:
    assert parse_offline({"url": URL}, {}) == DownloadRequest(url=URL, quality="720p")


def test_url_is_another_name_of_stream_link() -> None:
    assert parse_download({"url": URL}, {}) == parse_download({"stream_link": URL, "url": URL}, {})


def test_url_and_stream_link_must_agree() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_download({"stream_link": URL, "url": URL + "?"}, {})
    assert caught.value.field == "stream_link"


def test_all_options_of_today_are_carried_over() -> None:
    body = {"name": "mine", "quality": "480p", "download_type": "audio"}
    wanted = DownloadRequest(url=URL, name="mine", quality="480p", download_type="audio")
    assert parse_download(body | {"stream_link": URL}, {}) == wanted
    assert parse_offline(body | {"url": URL}, {}) == wanted


def test_null_is_the_same_as_absent() -> None:
    body = dict.fromkeys(("name", "quality", "download_type", "subtitles", "retention_days", "url"))
    assert parse_download(body | {"stream_link": URL}, {}) == parse_download({"stream_link": URL}, {})


@pytest.mark.parametrize(("given", "kept"), [("  my\nvideo ", "my video"), ("", None), ("\u202e", None)])
def test_a_name_is_kept_as_it_reads(given: str, kept: str | None) -> None:
    assert parse_download({"stream_link": URL, "name": given}, {}).name == kept


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "stream_link"),
        ({"stream_link": None}, "stream_link"),
        ({"stream_link": ""}, "stream_link"),
        ({"stream_link": 1}, "stream_link"),
        ({"stream_link": [URL]}, "stream_link"),
        ({"stream_link": "https://media.example/\ud800"}, "stream_link"),
        ({"stream_link": "ftp://media.example/a"}, "stream_link"),
        ({"url": "ftp://media.example/a"}, "url"),
        ({"url": True}, "url"),
        ({"stream_link": URL, "name": 5}, "name"),
        ({"stream_link": URL, "name": "x" * 301}, "name"),
        ({"stream_link": URL, "quality": 720}, "quality"),
        ({"stream_link": URL, "quality": "8k"}, "quality"),
        ({"stream_link": URL, "download_type": "both"}, "download_type"),
        ({"stream_link": URL, "download_type": ["video"]}, "download_type"),
        ({"stream_link": URL, "colour": "blue"}, "colour"),
        ({"stream_link": URL, "": 1}, ""),
        ({"stream_link": URL, "model_config": {}}, "model_config"),
    ],
)
def test_bad_input_is_refused_naming_the_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_download(body, {})
    assert caught.value.field == field
    assert caught.value.code == "request.invalid"
    assert field in str(caught.value)


def test_all_unknown_fields_are_named_shortened_and_cleaned() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_download({"stream_link": URL, "a\n\ud800": 1, "b" * 1000: 2}, {})
    assert str(caught.value) == f"Unknown field: a, {'b' * 60}."


def test_stream_link_is_unknown_to_the_second_contract() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_offline({"stream_link": URL, "url": URL}, {})
    assert caught.value.field == "stream_link"


LATER: dict[str, Any] = {
    "audio_format": "mp3",
    "container": "mkv",
    "subtitles": ["de"],
    "clip": {"start": 1, "end": 2},
    "playlist": True,
    "playlist_limit": 5,
    "callback_url": "https://hook.example/",
    "retention_days": 3,
}


@pytest.mark.parametrize("field", LATER)
def test_an_option_that_is_not_carried_out_is_refused_not_ignored(field: str) -> None:
    with pytest.raises(NotSupported) as caught:
        parse_download({"stream_link": URL, field: LATER[field]}, {})
    assert (caught.value.field, caught.value.code) == (field, "request.not_supported")
    with pytest.raises(NotSupported):
        parse_offline({"url": URL, field: LATER[field]}, {})


def test_such_an_option_is_accepted_where_it_asks_for_nothing() -> None:
    defaults: dict[str, Any] = {
        "audio_format": "best",
        "container": "mp4",
        "subtitles": [],
        "clip": None,
        "playlist": "auto",
    }
    assert parse_download({"stream_link": URL} | defaults, {}) == DownloadRequest(url=URL)


def test_an_idempotency_key_is_refused_not_ignored() -> None:
    with pytest.raises(NotSupported) as caught:
        parse_download({"stream_link": URL}, {"Idempotency-Key": "k"})
    assert caught.value.field == "Idempotency-Key"
