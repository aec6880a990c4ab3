"""Which service and which key: what is named counts more than what was kept, and a key goes to its own service only."""

import argparse
from pathlib import Path

import pytest

from reelhaul.client import BadAddress, BadKey
from reelhaul.command import access
from reelhaul.command.exits import CommandFailed, Exit
from reelhaul.command.settings import CommandSettings

HERE, THERE = "https://here.example", "https://there.example"


def options(url: str | None = None, key: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(url=url, key=key)


@pytest.fixture
def settings(tmp_path: Path) -> CommandSettings:
    """With a file that knows a service and its key."""
    made = CommandSettings(home=str(tmp_path))
    access.write(access.config_file(made), url=HERE, key="sk-kept")
    return made


def test_kept_service_and_key_are_used(settings: CommandSettings) -> None:
    found = access.find(options(), settings)
    assert (found.url, found.key) == (HERE, "sk-kept")
    assert found.origin.endswith(".config/reelhaul/config.toml")


def test_environment_counts_more_than_the_file_and_options_more_than_both(tmp_path: Path) -> None:
    settings = CommandSettings(home=str(tmp_path), reelhaul_url=THERE, reelhaul_key="sk-environment")
    access.write(access.config_file(settings), url=HERE, key="sk-kept")

    assert access.find(options(), settings).key == "sk-environment"
    found = access.find(options(f"{HERE}/", "sk-option"), settings)
    assert (found.url, found.key) == (HERE, "sk-option")


def test_kept_key_is_sent_to_no_other_service(settings: CommandSettings) -> None:
    with pytest.raises(CommandFailed, match=r"There is no key for https://there\.example") as caught:
        access.find(options(THERE), settings)
    assert caught.value.code is Exit.NO_SERVICE
    assert access.find(options(HERE), settings).key == "sk-kept"


def test_key_of_the_environment_is_sent_to_no_other_service_than_that_of_the_environment(tmp_path: Path) -> None:
    settings = CommandSettings(home=str(tmp_path), reelhaul_url=HERE, reelhaul_key="sk-environment")
    with pytest.raises(CommandFailed, match=r"There is no key for https://there\.example"):
        access.find(options(THERE), settings)
    access.write(access.config_file(settings), url=THERE, key="sk-kept")
    assert access.find(options(THERE), settings).key == "sk-kept"
    assert access.find(options(f"{HERE}/"), settings).key == "sk-environment"


def test_key_of_the_environment_alone_is_for_the_service_that_is_named(tmp_path: Path) -> None:
    settings = CommandSettings(home=str(tmp_path), reelhaul_key="sk-environment")
    assert access.find(options(THERE), settings).key == "sk-environment"


def test_damaged_file_does_not_keep_whoever_names_both(settings: CommandSettings) -> None:
    access.config_file(settings).write_text("[service")
    assert access.find(options(THERE, "sk-a"), settings).key == "sk-a"


def test_somebody_without_a_home_names_both_or_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert access.find(options(THERE, "sk-a"), CommandSettings()).key == "sk-a"
    with pytest.raises(CommandFailed, match="set HOME"):
        access.find(options(THERE), CommandSettings())


def test_without_a_service_it_is_said_how_to_log_in(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="reelhaul login"):
        access.find(options(), CommandSettings(home=str(tmp_path)))


@pytest.mark.parametrize(
    ("given", "error"), [(options("nonsense", "sk-a"), BadAddress), (options(HERE, "a b"), BadKey)]
)
def test_senseless_address_or_key_is_refused(
    settings: CommandSettings, given: argparse.Namespace, error: type[Exception]
) -> None:
    with pytest.raises(error):
        access.find(given, settings)


def test_file_is_for_its_owners_eyes(settings: CommandSettings) -> None:
    path = access.config_file(settings)
    assert path.stat().st_mode & 0o777 == 0o600
    assert access.is_private(path)
    path.chmod(0o640)
    assert not access.is_private(path)


def test_file_is_replaced_whole_and_private_even_if_it_was_not(settings: CommandSettings) -> None:
    path = access.config_file(settings)
    path.chmod(0o644)
    access.write(path, url=THERE, key='sk-"quoted"\\')
    assert access.is_private(path)
    assert access.read(path) == access.Access(url=THERE, key='sk-"quoted"\\', origin=str(path))
    assert list(path.parent.iterdir()) == [path]


def test_place_of_the_file_follows_xdg(tmp_path: Path) -> None:
    given = CommandSettings(home=str(tmp_path / "ada"), xdg_config_home=str(tmp_path))
    assert access.config_file(given) == tmp_path / "reelhaul" / "config.toml"
    relative = CommandSettings(home=str(tmp_path / "ada"), xdg_config_home="relative")
    assert access.config_file(relative) == tmp_path / "ada" / ".config" / "reelhaul" / "config.toml"


@pytest.mark.parametrize(
    "text",
    ["", "[service", "[service]\nurl = 1\nkey = 2\n", '[service]\nurl = "x"\nkey = "k"\n', '[service]\nurl = ""\n'],
)
def test_damaged_file_is_said_with_what_to_do(settings: CommandSettings, text: str) -> None:
    path = access.config_file(settings)
    path.write_text(text)
    with pytest.raises(CommandFailed, match="`reelhaul login` writes it anew"):
        access.find(options(), settings)


def test_key_is_in_no_representation() -> None:
    found = access.Access(url=HERE, key="sk-secret", origin="--key")
    assert "sk-secret" not in repr(found)
    assert "sk-secret" not in repr(CommandSettings(reelhaul_key="sk-secret"))
