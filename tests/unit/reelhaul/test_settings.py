"""Settings from the environment."""

import dataclasses

import pytest

from downloader.settings import DownloaderSettings
from inspect_source.settings import InspectSettings
from reelhaul.settings import ReadSettings, SettingsError, SubmitSettings

SUBMIT = {"TABLE_NAME": "jobs", "QUEUE_URL": "https://queue", "EXPRESS_QUEUE_URL": "https://express"}


def test_every_field_is_the_variable_of_the_same_name() -> None:
    assert SubmitSettings.from_env(SUBMIT | {"RETENTION_DAYS": "3"}) == SubmitSettings(
        table_name="jobs", queue_url="https://queue", express_queue_url="https://express", retention_days=3
    )


def test_a_variable_with_a_default_may_be_absent() -> None:
    assert SubmitSettings.from_env(SUBMIT).retention_days == 7


@pytest.mark.parametrize("variable", SUBMIT)
def test_a_missing_variable_is_named(variable: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        SubmitSettings.from_env({name: value for name, value in SUBMIT.items() if name != variable})


def test_a_variable_of_the_wrong_type_is_named() -> None:
    with pytest.raises(SettingsError, match=r"RETENTION_DAYS is 'soon', which is not of type int"):
        SubmitSettings.from_env(SUBMIT | {"RETENTION_DAYS": "soon"})


def test_fractions_of_seconds_are_read() -> None:
    env = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "LINK_SECRET_ARN": "a", "HOLD_S": "0.5"}
    assert ReadSettings.from_env(env).hold_s == 0.5


def test_a_list_is_separated_by_commas() -> None:
    env = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "QUEUE_URL": "q", "EXPRESS_QUEUE_URL": "e", "SITES_PREFIX": "s"}
    settings = DownloaderSettings.from_env(env | {"ALLOWED_ORIGINS": "127.0.0.1:1, host:2,"})
    assert settings.allowed_origins == {"127.0.0.1:1", "host:2"}
    assert DownloaderSettings.from_env(env | {"ALLOWED_ORIGINS": ""}).allowed_origins == frozenset()


@pytest.mark.parametrize(("text", "meant"), [("true", True), ("false", False)])
def test_a_flag_is_true_or_false(text: str, *, meant: bool) -> None:
    assert InspectSettings.from_env({"REQUIRE_SECCOMP": text}).require_seccomp is meant


@pytest.mark.parametrize("text", ["", "0", "no", "False", "True"])
def test_what_is_neither_true_nor_false_is_no_flag(text: str) -> None:
    with pytest.raises(SettingsError, match="REQUIRE_SECCOMP"):
        InspectSettings.from_env({"REQUIRE_SECCOMP": text})


def test_settings_do_not_change() -> None:
    settings = SubmitSettings.from_env(SUBMIT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.table_name = "other"  # type: ignore[misc]
