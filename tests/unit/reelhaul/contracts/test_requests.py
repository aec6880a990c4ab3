"""What the contracts accept when a download is asked for."""

import json
from typing import Any

import pytest

from reelhaul.contracts.requests import (
    fingerprint,
    parse_download,
    parse_info,
    parse_offline,
    parse_retry,
    request_key,
)
from reelhaul.errors import InvalidRequest, SiteNotAllowed
from reelhaul.options import Clip, DownloadRequest, Options
from reelhaul.site_policy import SitePolicy

URL = "https://media.example/a.mp4"
EVERYTHING: dict[str, Any] = {
    "name": "mine",
    "quality": "480p",
    "download_type": "video",
    "audio_format": "best",
    "container": "mkv",
    "subtitles": ["de", "pt-BR"],
    "clip": {"start": 1.5, "end": 10},
    "playlist": "true",
    "playlist_limit": 5,
    "callback_url": "https://hook.example/ended",
    "retention_days": 3,
}


def download(**fields: Any) -> DownloadRequest:
    return parse_download({"stream_link": URL} | fields, max_retention_days=30)


def offline(**fields: Any) -> DownloadRequest:
    return parse_offline({"url": URL} | fields, max_retention_days=30)


def refusal(body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_download(body, max_retention_days=30)
    assert caught.value.code == "request.invalid"
    return caught.value


def test_the_first_contract_needs_a_stream_link_only() -> None:
    assert download() == DownloadRequest(url=URL, options=Options(quality="best"))


def test_the_second_contract_needs_a_url_only_and_asks_for_720p() -> None:
    assert offline() == DownloadRequest(url=URL, options=Options(quality="720p"))


def test_url_is_another_name_of_stream_link() -> None:
    assert parse_download({"url": URL}, max_retention_days=30) == download(url=URL)


def test_url_and_stream_link_must_agree() -> None:
    assert refusal({"stream_link": URL, "url": URL + "?"}).field == "stream_link"


def test_every_option_is_carried_over() -> None:
    wanted = DownloadRequest(
        url=URL,
        name="mine",
        options=Options(
            quality="480p", container="mkv", subtitles=("de", "pt-BR"), clip=Clip(start_s=1.5, end_s=10.0),
            playlist="true", playlist_limit=5,
        ),
        retention_days=3,
        callback_url="https://hook.example/ended",
    )  # fmt: skip
    assert download(**EVERYTHING) == offline(**EVERYTHING) == wanted


def test_audio_has_its_format() -> None:
    assert offline(download_type="audio", audio_format="mp3").options == Options(
        quality="720p", download_type="audio", audio_format="mp3"
    )


def test_null_is_the_same_as_leaving_a_field_out() -> None:
    nothing = dict.fromkeys(EVERYTHING)
    assert download(**nothing, url=None) == download()
    assert offline(**nothing) == offline()
    assert download(clip={"start": None, "end": 5}) == download(clip={"end": 5})


@pytest.mark.parametrize(("given", "kept"), [("  my\nvideo ", "my video"), ("", None), ("\u202e", None)])
def test_a_name_is_kept_as_it_reads(given: str, kept: str | None) -> None:
    assert download(name=given).name == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [("auto", "auto"), ("true", "true"), ("false", "false"), (True, "true"), (False, "false")],
)
def test_playlist_is_said_as_text_or_as_json_says_it(given: object, kept: str) -> None:
    assert download(playlist=given).options.playlist == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"start": 1}, Clip(start_s=1.0)),
        ({"end": 2.5}, Clip(end_s=2.5)),
        ({"start": 0, "end": 86400}, Clip(end_s=86400.0)),
        ({}, None),
        ({"start": 0}, None),
    ],
)
def test_a_clip_has_a_start_an_end_or_both(given: dict[str, float], kept: Clip | None) -> None:
    assert download(clip=given).options.clip == kept


@pytest.mark.parametrize(("given", "kept"), [(1, 1), (30, 30), (7.0, 7)])
def test_whole_numbers_are_those_of_json(given: float, kept: int) -> None:
    assert download(retention_days=given).retention_days == kept
    assert download(playlist_limit=given).options.playlist_limit == kept


def test_a_language_that_is_asked_for_twice_is_wanted_once() -> None:
    assert download(subtitles=["en", "de", "en"]).options.subtitles == ("en", "de")


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
        ({"stream_link": f"https://media.example/{'a' * 2048}"}, "stream_link"),
        ({"url": "ftp://media.example/a"}, "url"),
        ({"url": True}, "url"),
    ],
)
def test_a_source_that_is_none_is_refused_by_the_name_it_came_under(body: dict[str, Any], field: str) -> None:
    error = refusal(body)
    assert error.field == field
    assert field in str(error)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5), ("name", ["a"]), ("name", "x" * 301), ("name", False),
        ("quality", 720), ("quality", "8k"), ("quality", ""), ("quality", "720P"),
        ("download_type", "both"), ("download_type", ["video"]),
        ("audio_format", "mp3"), ("audio_format", "ogg"), ("audio_format", {}),
        ("container", "avi"), ("container", 4),
        ("subtitles", "en"), ("subtitles", [1]), ("subtitles", [None]), ("subtitles", ["../x"]), ("subtitles", {}),
        ("subtitles", ["en"] * 5 + ["not a language"]), ("subtitles", [f"en-{n:02}" for n in range(21)]),
        ("clip", []), ("clip", "1-2"), ("clip", True), ("clip", {"start": "1"}), ("clip", {"start": True}),
        ("clip", {"start": -1}), ("clip", {"start": 5, "end": 5}), ("clip", {"start": 5, "end": 4}),
        ("clip", {"end": 0}), ("clip", {"end": 86401}), ("clip", {"start": 10**400}), ("clip", {"end": float("inf")}),
        ("clip", {"start": float("nan")}), ("clip", {"end": [1]}),
        ("playlist", "yes"), ("playlist", 1), ("playlist", ["auto"]), ("playlist", "True"),
        ("playlist_limit", 0), ("playlist_limit", 1001), ("playlist_limit", "5"), ("playlist_limit", True),
        ("playlist_limit", 1.5), ("playlist_limit", -1), ("playlist_limit", [5]),
        ("callback_url", 5), ("callback_url", "http://hook.example/"), ("callback_url", "hook.example"),
        ("callback_url", "https://user:word@hook.example/"), ("callback_url", ""),
        ("callback_url", f"https://hook.example/{'a' * 2048}"),
        ("retention_days", 0), ("retention_days", 31), ("retention_days", 1.5), ("retention_days", "7"),
        ("retention_days", True), ("retention_days", float("inf")), ("retention_days", 10**400),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_naming_its_field(field: str, value: object) -> None:
    error = refusal({"stream_link": URL, field: value})
    assert error.field == field
    assert field in str(error)
    with pytest.raises(InvalidRequest) as caught:
        offline(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["colour", "", "model_config", "Quality", "stream-link"])
def test_an_unknown_field_is_refused_by_name(field: str) -> None:
    error = refusal({"stream_link": URL, field: None})
    assert error.field == field
    assert field in str(error)


def test_an_unknown_field_of_a_clip_is_refused_by_name() -> None:
    error = refusal({"stream_link": URL, "clip": {"start": 1, "stop": 2}})
    assert (error.field, str(error)) == ("clip.stop", "Unknown field: clip.stop.")


def test_all_unknown_fields_are_named_shortened_and_cleaned() -> None:
    error = refusal({"stream_link": URL, "a\n\ud800": 1, "b" * 1000: 2})
    assert str(error) == f"Unknown field: a, {'b' * 60}."


def test_stream_link_is_unknown_to_the_second_contract() -> None:
    with pytest.raises(InvalidRequest) as caught:
        offline(stream_link=URL)
    assert caught.value.field == "stream_link"


def test_how_long_a_file_may_be_kept_is_the_operators_to_say() -> None:
    assert parse_offline({"url": URL, "retention_days": 90}, max_retention_days=90).retention_days == 90
    with pytest.raises(InvalidRequest, match="from 1 to 90"):
        parse_offline({"url": URL, "retention_days": 91}, max_retention_days=90)


@pytest.mark.parametrize(("asked", "limit"), [({}, 20), ({"playlist_limit": 20}, 20), ({"playlist_limit": 3}, 3)])
def test_how_long_a_playlist_may_be_is_the_operators_to_say(asked: dict[str, int], limit: int) -> None:
    body = {"url": URL} | asked
    assert parse_offline(body, max_retention_days=30, max_playlist_items=20).options.playlist_limit == limit


def test_a_longer_playlist_than_the_operator_allows_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^playlist_limit must be a whole number from 1 to 20"):
        parse_download({"url": URL, "playlist_limit": 21}, max_retention_days=30, max_playlist_items=20)


def test_which_sites_may_be_asked_for_is_the_operators_to_say() -> None:
    sites = SitePolicy(allowed=frozenset({"allowed.example"}))
    assert parse_info({"url": "https://allowed.example/"}, sites=sites) == ("https://allowed.example/", "auto")
    for field, parse in (("stream_link", parse_download), ("url", parse_download), ("url", parse_offline)):
        with pytest.raises(SiteNotAllowed) as caught:
            parse({field: "https://other.example/"}, max_retention_days=30, sites=sites)
        assert caught.value.field == field
    with pytest.raises(SiteNotAllowed) as caught:
        parse_info({"url": "https://other.example/"}, sites=sites)
    assert caught.value.field == "url"


def test_a_retry_takes_no_parameters() -> None:
    parse_retry({})
    with pytest.raises(InvalidRequest) as caught:
        parse_retry({"quality": "best"})
    assert caught.value.field == "quality"


# --- idempotency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a", "8f14e45f-ceea-467f-9b7a-1b2c3d4e5f60", "~" * 255, 'a "key", with spaces'])
def test_a_key_is_taken_as_it_is(key: str) -> None:
    assert request_key({"Idempotency-Key": key}) == key


def test_most_requests_have_no_key() -> None:
    assert request_key({}) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "clé", "a\tb", "a\x7f", "a\n"])
def test_a_key_that_is_not_printable_ascii_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request_key({"Idempotency-Key": key})
    assert caught.value.field == "Idempotency-Key"
    assert "Idempotency-Key" in str(caught.value)


def test_how_json_is_written_does_not_make_another_request() -> None:
    first = json.loads('{"url": "https://e.example/ü", "clip": {"start": 1, "end": 2}}')
    second = json.loads('{ "clip":{"end":2,"start":1},\n"url":"https://e.example/\\u00fc" }')
    assert fingerprint("/download", first) == fingerprint("/download", second)


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/api/download", {"url": URL}),
        ("/download", {"url": URL, "quality": "best"}),
        ("/download", {"url": URL + "?"}),
        ("/download", {"stream_link": URL}),
        ("/download", {"url": URL, "clip": {}}),
    ],
)
def test_another_route_or_body_is_another_request(route: str, body: dict[str, Any]) -> None:
    assert fingerprint(route, body) != fingerprint("/download", {"url": URL})


def test_half_a_surrogate_pair_in_a_body_does_not_break_its_fingerprint() -> None:
    assert len(fingerprint("/download", {"name": "\ud800"})) == 64
