"""`reelhaul login`: nothing is kept that does not work, and the key is shown to nobody else."""

import io
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.serving import Said, Server, error
from tests.unit.reelhaul.command.conftest import KEY, Run

NOTHING = Said({"success": True, "data": {"downloads": [], "total": 0, "next_token": None}})


@pytest.fixture
def file(here: Path) -> Path:
    """Where both are kept."""
    return here.parent / ".config" / "reelhaul" / "config.toml"


def typed(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """What somebody types who is asked for a key, and sees nothing of it."""
    left = list(keys)
    monkeypatch.setattr("getpass.getpass", lambda _: left.pop(0))


def test_key_that_works_is_kept_and_used_from_then_on(
    run: Run, server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tell_of_service()
    server.tell("GET /download", NOTHING)
    typed(monkeypatch, f" {KEY}\n")

    code, out, _ = run("login", "--url", f"{server.url}/")

    assert code == 0
    assert "is Reelhaul 0.1.0." in out
    assert file.stat().st_mode & 0o777 == 0o600
    for name in ("REELHAUL_URL", "REELHAUL_KEY"):
        monkeypatch.delenv(name)
    assert run("list")[0] == 0
    assert server.asked[-1].headers["x-access-token"] == KEY


def test_key_is_read_from_standard_input_for_scripts(
    run: Run, server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tell_of_service()
    server.tell("GET /download", NOTHING)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    assert run("login", "--key-from-stdin")[0] == 0
    assert KEY in file.read_text()


def test_wrong_key_may_be_typed_again(run: Run, server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.tell_of_service()
    server.tell("GET /download", error(401, "auth.unauthorized"), NOTHING)
    typed(monkeypatch, "sk-wrong", KEY)

    code, _, err = run("login")

    assert code == 0
    assert "it is of another service, or was revoked, or has expired. Once more, please." in err
    assert KEY in file.read_text()


def test_key_that_is_wrong_each_time_is_not_kept(
    run: Run, server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tell_of_service()
    server.tell("GET /download", error(401, "auth.unauthorized"))
    typed(monkeypatch, "sk-1", "sk-2", "sk-3")
    assert run("login")[0] == 3
    assert not file.exists()


@pytest.mark.parametrize(
    "said", [Said(b"<html></html>"), Said({"info": {"title": "Petstore"}}), Said(b"", 302), error(404, "x")]
)
def test_key_is_shown_to_no_server_that_is_not_ours(
    run: Run, server: Server, file: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    server.tell("GET /openapi.json", said)
    typed(monkeypatch, KEY)

    code, _, _ = run("login")

    assert code in {1, 3}
    assert not any("x-access-token" in asked.headers for asked in server.asked)
    assert not file.exists()


def test_clock_that_is_off_is_said_with_what_it_means(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tell_of_service(Date=format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True))
    server.tell("GET /download", NOTHING)
    typed(monkeypatch, KEY)
    code, _, err = run("login")
    assert code == 0
    assert "s ahead of the service's" in err


def test_nobody_who_answers_is_said_as_such(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "")
    monkeypatch.delenv("REELHAUL_URL")
    code, _, err = run("login")
    assert code == 3
    assert "is no address of a service" in err


def test_key_for_a_service_on_the_way_to_which_others_read_is_not_asked_for(run: Run) -> None:
    code, _, err = run("login", "--url", "http://reelhaul.example")
    assert code == 3
    assert "https://reelhaul.example" in err


def test_what_was_mistyped_may_be_typed_again(
    run: Run, server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a key that is none nor an address at which nobody is ours costs what was typed before."""
    server.tell_of_service()
    server.tell("GET /download", NOTHING)
    typed(monkeypatch, "sk-ä", KEY)
    monkeypatch.delenv("REELHAUL_URL")
    addresses = ["reelhaul.example", f"{server.url}/elsewhere", server.url]
    monkeypatch.setattr("builtins.input", lambda _: addresses.pop(0))

    code, _, err = run("login")

    assert code == 0
    assert err.count("Once more, please.") == 3
    assert KEY in file.read_text()
    assert addresses == []


def test_environment_that_says_something_else_is_named(
    run: Run, server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tell_of_service()
    server.tell("GET /download", NOTHING)
    typed(monkeypatch, KEY, KEY)
    assert run("login")[2] == ""
    monkeypatch.setenv("REELHAUL_URL", "https://other.example")
    monkeypatch.setenv("REELHAUL_KEY", "sk-other")
    err = run("login", "--url", server.url)[2]
    assert "REELHAUL_URL and REELHAUL_KEY in your environment" in err
    assert "sk-other" not in err
