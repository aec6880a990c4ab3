import dataclasses
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from infra.assets import ROOT
from infra.settings import LOG_RETENTION_DAYS, Settings, SettingsError

FIELDS = {field.name for field in dataclasses.fields(Settings)}


def test_defaults_hold_without_any_context() -> None:
    settings = Settings.from_context({})
    assert settings == Settings()
    assert (settings.stage, settings.architecture, settings.retention_days) == ("prod", "arm64", 7)


def test_values_from_the_command_line_are_text_and_mean_the_same() -> None:
    as_text = Settings.from_context({"worker_timeout_s": "300", "allowed_origins": "127.0.0.1:80, media.test:8080"})
    as_json = Settings.from_context({"worker_timeout_s": 300, "allowed_origins": ["127.0.0.1:80", "media.test:8080"]})
    assert as_text == as_json
    assert as_text.allowed_origins == ("127.0.0.1:80", "media.test:8080")


def test_no_allowed_origins_as_text_are_none() -> None:
    assert Settings.from_context({"allowed_origins": ""}).allowed_origins == ()


def test_pages_of_other_origins_may_not_use_the_api_unless_they_are_named() -> None:
    assert Settings.from_context({}).cors_origins == ()
    assert Settings.from_context({"cors_origins": "*"}).cors_origins == ("*",)
    named = Settings.from_context({"cors_origins": "https://example.com, http://localhost:3000"})
    assert named.cors_origins == ("https://example.com", "http://localhost:3000")


def test_default_retention_is_not_longer_than_the_longest() -> None:
    assert Settings.from_context({"retention_days": 60, "max_retention_days": 60}).retention_days == 60
    with pytest.raises(
        SettingsError, match=r"^retention_days is 31; it must be at most max_retention_days, which is 30"
    ):
        Settings.from_context({"retention_days": 31})
    with pytest.raises(SettingsError, match=r"^retention_days is 7; it must be at most max_retention_days, which is 5"):
        Settings.from_context({"max_retention_days": "5"})


@pytest.mark.parametrize(
    ("architecture", "platform"), [("arm64", "aarch64-manylinux2014"), ("x86_64", "x86_64-manylinux2014")]
)
def test_wheels_are_chosen_for_the_architecture(architecture: str, platform: str) -> None:
    assert Settings.from_context({"architecture": architecture}).layer_platform == platform


def test_wheels_for_another_platform_can_be_asked_for() -> None:
    settings = Settings.from_context({"architecture": "x86_64", "layer_platform": "x86_64-unknown-linux-musl"})
    assert settings.layer_platform == "x86_64-unknown-linux-musl"


@pytest.mark.parametrize(
    "name",
    [
        "python:3.13-slim-trixie",
        f"python:3.13-slim-trixie@sha256:{'0' * 64}",
        "public.ecr.aws/docker/library/python:3.13-slim-trixie",
        f"localhost:5000/own/python_base:1@sha256:{'f' * 64}",
    ],
)
def test_base_image_is_a_name_with_a_tag_and_maybe_a_digest(name: str) -> None:
    assert Settings.from_context({"base_image": name}).base_image == name


@pytest.mark.parametrize(("given", "meant"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_flag_is_one_in_json_and_on_the_command_line(given: object, *, meant: bool) -> None:
    assert Settings.from_context({"require_seccomp": given}).require_seccomp is meant


def test_context_of_the_cdk_and_of_others_is_left_alone() -> None:
    assert Settings.from_context({"@aws-cdk/core:target-partitions": ["aws"], "aws:cdk:x": 1}) == Settings()


# Of each setting at least one value that makes no sense.
REFUSED: list[tuple[str, object]] = [
        ("stage", "Prod"),
        ("stage", ""),
        ("stage", 7),
        ("architecture", "arm"),
        ("architecture", ["arm64"]),
        ("base_image", "python"),
        ("base_image", "python:3.13@sha256:0123"),
        ("base_image", "python@sha256:" + "0" * 64),  # whoever reads it should see what it is
        ("base_image", "python:3.13 --network=host"),
        ("base_image", "Python:3.13"),
        ("retention_days", 0),
        ("retention_days", "7 days"),
        ("retention_days", 1.5),
        ("retention_days", True),
        ("retention_days", None),
        ("max_retention_days", 0),
        ("max_retention_days", 366),
        ("express_concurrency", 1),
        ("webhook_concurrency", 1),
        ("cors_origins", "example.com"),
        ("cors_origins", ["https://example.com/page"]),
        ("cors_origins", "null"),
        ("worker_concurrency", 1),
        ("worker_concurrency", 1001),
        ("worker_memory_mb", 128),
        ("worker_tmp_mb", 20_000),
        ("worker_timeout_s", 901),
        ("worker_timeout_s", "-300"),
        ("allowed_origins", "localhost"),
        ("allowed_origins", ["http://127.0.0.1:80"]),
        ("allowed_origins", {"127.0.0.1:80": True}),
        ("allowed_origins", [80]),
        ("throttle_rate", 0),
        ("throttle_burst", "many"),
        ("layer_python", 3.13),
        ("layer_python", "2.7"),
        ("layer_platform", "linux; rm"),
        ("removal_policy", "snapshot"),
        ("require_seccomp", "yes"),
        ("require_seccomp", 1),
        ("link_signer", "CloudFront"),
        ("cloudfront_public_key", "no-such-file.pub"),
        ("cloudfront_public_key", "cdk.json"),
        ("cloudfront_public_key", ""),
        ("cloudfront_public_key", []),
        ("cloudfront_public_key", [7]),
        ("cloudfront_public_key", ["cdk.json"] * 6),
        ("region", "Frankfurt"),
        ("region", "eu-central-1a"),
        ("log_retention_days", 8),
        ("log_retention_days", "30 days"),
        ("log_retention_days", True),
        ("max_size_mb", 0),
        ("max_size_mb", 1_048_577),
        ("max_duration_s", -1),
        ("max_duration_s", "1:00:00"),
        ("source_connections", 0),
        ("source_connections", 17),
        ("source_connections", True),
        ("source_connections", ["4"]),
        ("source_connections", "example.com=1"),
        ("source_connections", "4,example.com"),
        ("source_connections", "4,example.com=17"),
        ("source_connections", "4,https://example.com=1"),
        ("max_total_s", 60),
        ("max_total_s", 86_400),
        ("max_playlist_items", 0),
        ("max_playlist_items", 1001),
        ("allowed_sites", "https://example.com"),
        ("allowed_sites", ["example.com/videos"]),
        ("allowed_sites", "example.com:443"),
        ("allowed_sites", 7),
        ("denied_sites", "*.example.com"),
        ("denied_sites", ["127.0.0.1"]),
        ("denied_sites", "[::1]"),
        ("denied_sites", [None]),
        ("denied_sites", "-.example"),
        ("denied_sites", "a..example"),
        ("domain_name", "media"),
        ("domain_name", "media.example.com."),
        ("domain_name", f"{'a' * 64}.example"),
        ("certificate_arn", "made-up"),
        ("certificate_arn", "arn:aws:iam::000000000000:server-certificate/x"),
        ("default_endpoint", "off"),
        ("alarm_email", "operator"),
        ("alarm_email", "a@example.com,b@example.com"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_value_that_makes_no_sense_is_refused_in_one_sentence(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_context({name: value})
    sentence = str(refused.value)
    assert sentence.startswith(f"{name} is ")
    assert "; it must be " in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_every_setting_has_a_value_that_is_refused() -> None:
    assert {name for name, _ in REFUSED} == FIELDS


def test_every_setting_can_be_set_and_has_a_row_in_the_readme() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_context({"nonsense": 1})
    assert set(re.findall(r"[a-z]+(?:_[a-z]+)+|stage|architecture|region", str(refused.value))) == FIELDS
    table = (ROOT / "README.md").read_text().partition("| setting | meaning | default |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == FIELDS


# --- what one setting means to another -------------------------------------------------------------------------------

CERTIFICATE = "arn:aws:acm:eu-central-1:000000000000:certificate/made-up"


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        (
            {"domain_name": "media.example.com"},
            "domain_name is given without certificate_arn; a custom domain takes both.",
        ),
        (
            {"certificate_arn": CERTIFICATE},
            "certificate_arn is given without domain_name; a custom domain takes both.",
        ),
        (
            {"default_endpoint": "disable"},
            "default_endpoint is 'disable'; it must be keep unless domain_name gives another one.",
        ),
        (
            {"region": "us-east-1", "domain_name": "media.example.com", "certificate_arn": CERTIFICATE},
            f"certificate_arn is '{CERTIFICATE}'; it must be of a certificate in region, which is us-east-1.",
        ),
        (
            {
                "allowed_sites": "a" * 60 + ".example",
                "denied_sites": [f"site{number}.example" for number in range(200)],
                "source_connections": "4,a.example=1",
            },
            (
                "allowed_sites, denied_sites and source_connections have 3,170 characters; it must be at most 3,000 "
                "together, which is what a Lambda function's environment has room for."
            ),
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused_in_one_sentence(
    context: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_context(context)
    assert str(refused.value) == sentence


def test_largest_size_may_be_beyond_the_disk() -> None:
    """What is streamed never lies there as a whole."""
    assert Settings.from_context({}).max_bytes == 4608 * 1024**2
    assert Settings.from_context({"max_size_mb": "50000", "worker_tmp_mb": "512"}).max_bytes == 50_000 * 1024**2


def test_sites_are_compared_in_the_form_that_names_are_looked_up_in() -> None:
    settings = Settings.from_context({"allowed_sites": "Bücher.Example, example.com,example.com", "denied_sites": [""]})
    assert settings.allowed_sites == ("xn--bcher-kva.example", "example.com")
    assert settings.denied_sites == ()


def test_every_length_of_time_that_cloudwatch_keeps_logs_for_can_be_chosen() -> None:
    assert {Settings.from_context({"log_retention_days": days}).log_retention_days for days in LOG_RETENTION_DAYS} == {
        *LOG_RETENTION_DAYS
    }


def test_name_that_is_no_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="retention is not a setting; there are stage,"):
        Settings.from_context({"retention": 7})


# --- public keys ------------------------------------------------------------------------------------------------------


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def test_links_by_cloudfront_need_a_key(public_key_files: list[str]) -> None:
    with pytest.raises(SettingsError, match=r"^link_signer is cloudfront, which needs cloudfront_public_key; .*\.$"):
        Settings.from_context({"link_signer": "cloudfront"})
    given = Settings.from_context({"link_signer": "cloudfront", "cloudfront_public_key": public_key_files})
    assert len(given.cloudfront_public_key) == 2


def test_a_key_may_be_given_as_a_file_or_as_it_is_and_comes_out_the_same(tmp_path: Path) -> None:
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()))
    file = tmp_path / "key.pub"
    file.write_text(pem.replace("\n", "\r\n") + "\n")
    given = Settings.from_context({"cloudfront_public_key": [str(file), pem, pem.strip()]})
    assert given.cloudfront_public_key == (pem,)


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())], ids=["rsa", "p384"]
)
def test_a_key_that_links_are_not_signed_with_is_refused(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    with pytest.raises(SettingsError, match=r"^cloudfront_public_key is not such; it must be a file with a public key"):
        Settings.from_context({"cloudfront_public_key": pem_of(key)})


def test_a_private_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    pem = (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
    file = tmp_path / "key"
    file.write_text(pem)
    for given in (pem, str(file)):
        with pytest.raises(SettingsError) as refused:
            Settings.from_context({"cloudfront_public_key": given})
        assert pem.splitlines()[1] not in str(refused.value)
