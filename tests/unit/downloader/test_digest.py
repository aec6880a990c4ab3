"""Checksums that are put aside and gone on with."""

import hashlib

import pytest

from downloader import digest


@pytest.mark.parametrize("cut", [0, 1, 63, 64, 65, 1000])
def test_checksum_goes_on_where_it_was_put_aside(cut: int) -> None:
    data = bytes(range(256)) * 4
    first = digest.begin()
    first.update(data[:cut])
    state = digest.state_of(first)
    assert state is not None

    then = digest.resumed(state)
    then.update(data[cut:])

    assert then.hexdigest() == hashlib.sha256(data).hexdigest()
    assert first.hexdigest() == hashlib.sha256(data[:cut]).hexdigest()


@pytest.mark.parametrize("state", [b"", bytes(111), bytes(113)])
def test_what_is_no_state_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError, match="no state"):
        digest.resumed(state)


def test_without_openssl_there_is_a_checksum_but_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_library", lambda: None)
    whole = digest.begin()
    whole.update(b"abc")

    assert (whole.hexdigest(), digest.state_of(whole)) == (hashlib.sha256(b"abc").hexdigest(), None)
    assert not digest.is_resumable()
