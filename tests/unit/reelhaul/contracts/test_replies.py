"""What the replies of both contracts share."""

import pytest

from reelhaul import errors
from reelhaul.contracts import replies
from reelhaul.errors import ReelhaulError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequest("x"), 400),
        (errors.RequestTooLarge("x"), 413),
        (errors.UnsupportedMediaType("x"), 415),
        (errors.KeyReused(), 422),
        (errors.SourceUnsupported(), 422),
        (errors.SourceTimedOut(), 422),
        (errors.MethodNotAllowed(["GET"]), 405),
        (errors.Unauthorized(), 401),
        (errors.JobNotFound(), 404),
        (errors.FileNotFound(), 404),
        (errors.RouteNotFound(), 404),
        (errors.Conflict(), 409),
        (errors.JobsPerDayReached(5, retry_after_s=7), 429),
        (errors.ServiceUnavailable(), 503),
        (errors.LeaseLost(), 500),
        (ReelhaulError(), 500),
    ],
)
def test_the_status_is_that_of_the_class_or_its_nearest_base(error: ReelhaulError, status: int) -> None:
    assert replies.status_of(error) == status


def test_an_error_speaks_to_clients_of_both_contracts_and_to_programs() -> None:
    assert replies.error_body(errors.JobNotFound()) == {
        "success": False,
        "message": "There is no download with this id.",
        "detail": "There is no download with this id.",
        "code": "job.not_found",
    }


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (errors.Unauthorized(), "WWW-Authenticate", "Bearer"),
        (errors.MethodNotAllowed({"POST", "GET"}), "Allow", "GET, POST"),
        (errors.BytesPerDayReached(5, retry_after_s=7), "Retry-After", "7"),
        (errors.ServiceUnavailable(), "Retry-After", "5"),
    ],
)
def test_some_errors_have_the_header_that_http_has_for_them(error: ReelhaulError, name: str, value: str) -> None:
    assert replies.headers_of(error) == {name: value}
    assert name not in replies.headers_of(errors.JobNotFound())


def test_a_made_up_name_is_shown_short_and_clean() -> None:
    assert replies.echo("a\n\u202e\ud800b" + "c" * 100) == "a b" + "c" * 57


def test_bad_input_names_the_field_where_there_is_one() -> None:
    assert replies.error_body(errors.InvalidRequest("bad", field="quality"))["field"] == "quality"
    assert "field" not in replies.error_body(errors.InvalidRequest("bad"))


def test_json_is_compact_and_keeps_text_as_it_is() -> None:
    assert replies.dumps({"a": [1, None], "b": "Füße 名"}) == '{"a":[1,null],"b":"Füße 名"}'


def test_what_is_not_json_is_a_bug_not_a_reply() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        replies.dumps({"speed": float("nan")})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, None), (0, "1970-01-01T00:00:00.000Z"), (1_795_305_600.1234, "2026-11-22T00:00:00.123Z")],
)
def test_times_are_rfc_3339_in_utc(seconds: float | None, text: str | None) -> None:
    assert replies.timestamp(seconds) == text
