"""Tokens that lead on in one list, and nowhere else."""

import base64
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelhaul.errors import InvalidRequest
from reelhaul.ids import new_id
from reelhaul.tokens import make_token, read_token, token_key

KEY = token_key("a secret")
JOB_ID = "download-01k0000000zzzzzzzzzzzzzzzz"
STATUSES = [None, "processing", "done", "error"]


def read(token: str, *keys: bytes, tenant: str = "acme", status: str | None = None) -> str:
    return read_token(token, keys or (KEY,), tenant=tenant, status=status)


def token(key: bytes = KEY, *, tenant: str = "acme", status: str | None = None, after: str = JOB_ID) -> str:
    return make_token(key, tenant=tenant, status=status, after=after)


def refusal(text: str, *keys: bytes, tenant: str = "acme", status: str | None = None) -> str:
    with pytest.raises(InvalidRequest) as refused:
        read(text, *keys, tenant=tenant, status=status)
    assert refused.value.field == "next_token"
    return str(refused.value)


@given(now=st.floats(0, 4e9), tenant=st.text("abcxyz0189-_", min_size=1, max_size=40), status=st.sampled_from(STATUSES))
def test_a_token_leads_to_the_place_that_it_was_made_for(now: float, tenant: str, status: str | None) -> None:
    job_id = new_id(now)
    assert read(token(tenant=tenant, status=status, after=job_id), tenant=tenant, status=status) == job_id


@pytest.mark.parametrize("status", STATUSES)
def test_a_token_is_short_and_needs_no_escapes_in_an_address(status: str | None) -> None:
    text = token(status=status)
    assert len(text) < 80
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@given(text=st.text(max_size=300) | st.binary(max_size=120).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_that_is_no_token_is_refused(text: str) -> None:
    assert refusal(text) == "next_token is not one of ours."


@pytest.mark.parametrize("text", ["", "=", "\udc80", "\x00", "A" * 56, "A" * 57, "é", "A" * 10**6, JOB_ID])
def test_odd_texts_are_refused(text: str) -> None:
    assert refusal(text) == "next_token is not one of ours."


@given(position=st.integers(0, 55), letter=st.sampled_from("aA0-_"))
def test_a_token_with_one_letter_changed_is_refused(position: int, letter: str) -> None:
    whole = token()
    changed = whole[:position] + letter + whole[position + 1 :]
    if changed != whole:
        assert refusal(changed) == "next_token is not one of ours."


def test_a_place_cannot_be_put_under_the_seal_of_another() -> None:
    raw = base64.urlsafe_b64decode(token())
    forged = raw[:16] + new_id(1.0).removeprefix("download-").encode()
    assert refusal(base64.urlsafe_b64encode(forged).decode()) == "next_token is not one of ours."


def test_another_tenants_token_is_refused_like_any_text() -> None:
    assert refusal(token(tenant="umbrella")) == refusal("nonsense")


def test_a_token_of_another_filter_says_so() -> None:
    for made_for in STATUSES:
        for used_with in STATUSES:
            if made_for != used_with:
                said = refusal(token(status=made_for), status=used_with)
                assert said == "next_token belongs to a listing with another status."


def test_control_every_filter_takes_its_own_tokens() -> None:
    assert {read(token(status=status), status=status) for status in STATUSES} == {JOB_ID}


def test_a_token_of_an_earlier_key_is_read_with_that_key() -> None:
    before, now = token_key("before"), token_key("now")
    assert read(token(before), now, before) == JOB_ID
    assert refusal(token(before), now) == "next_token is not one of ours."


def test_later_keys_are_not_asked_for_once_one_fits() -> None:
    def keys() -> Iterator[bytes]:
        yield KEY
        pytest.fail("the secret was read once more for nothing")

    assert read_token(token(), keys(), tenant="acme", status=None) == JOB_ID


def test_the_key_of_tokens_is_not_the_secret_it_comes_from() -> None:
    secret = secrets.token_hex(20)
    assert token_key(secret) != secret.encode()
    assert refusal(token(secret.encode()), token_key(secret)) == "next_token is not one of ours."
