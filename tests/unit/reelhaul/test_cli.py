"""The command, against a deployed stack as moto imitates one. `reelhaul serve` is run for real in `tests/e2e`."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from standardwebhooks import Webhook

from infra import public_keys
from reelhaul import aws
from reelhaul.cli import main
from reelhaul.errors import Unauthorized
from reelhaul.keys import KeyStore, pepper_from
from reelhaul.links.cloudfront import LinkPrivateKey
from reelhaul.webhooks.signing import WebhookSecrets, signed_headers
from tests.conftest import Cloud


@pytest.fixture
def stack(cloud: Cloud) -> str:
    """A stack that says of itself what ours does."""
    said = {
        "TableName": cloud.table, "PepperSecretArn": cloud.pepper_secret, "WebhookSecretArn": cloud.webhook_secret,
    }  # fmt: skip
    outputs = {name: {"Value": value} for name, value in said.items()}
    template = {"Resources": {"Some": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    boto3.client("cloudformation").create_stack(StackName="Reelhaul-test", TemplateBody=json.dumps(template))
    return "Reelhaul-test"


def issued(stack: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["keys", "create", "--tenant", "acme", "--stack", stack, *options]) == 0
    return capsys.readouterr().out.strip()


def verify(cloud: Cloud, key: str, *, in_days: float = 0) -> str:
    pepper = pepper_from(aws.client("secretsmanager"), cloud.pepper_secret)
    keys = KeyStore(aws.client("dynamodb"), cloud.table, pepper, clock=lambda: time.time() + in_days * 86_400)
    return keys.verify(key).tenant


@pytest.mark.shows_a_key
def test_created_key_opens_the_door_of_its_tenant(stack: str, cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    key = issued(stack, capsys)

    assert verify(cloud, key) == "acme"


@pytest.mark.shows_a_key
def test_key_for_some_days_ends_after_them(stack: str, cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    key = issued(stack, capsys, "--days", "2")

    assert verify(cloud, key, in_days=1.9) == "acme"
    with pytest.raises(Unauthorized):
        verify(cloud, key, in_days=2.1)


@pytest.mark.shows_a_key
def test_list_shows_everything_but_the_key(stack: str, cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    key = issued(stack, capsys, "--label", "for the archive")

    assert main(["keys", "list", "--stack", stack]) == 0

    shown = capsys.readouterr().out
    assert "acme" in shown
    assert "for the archive" in shown
    assert key not in shown


LIMITS = ("--max-concurrent-jobs", "5", "--max-jobs-per-day", "100", "--max-bytes-per-day", "10GB")


def listed(stack: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one key, as it is listed."""
    assert main(["keys", "list", "--stack", stack]) == 0
    return capsys.readouterr().out.splitlines()[1]


@pytest.mark.shows_a_key
def test_limits_of_a_key_are_shown(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    issued(stack, capsys, *LIMITS)
    assert "5 at a time, 100 a day, 10GB stored a day" in listed(stack, capsys)


@pytest.mark.shows_a_key
def test_a_key_is_made_without_limits_unless_they_are_named(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    issued(stack, capsys)
    assert "no limits" in listed(stack, capsys)


@pytest.mark.shows_a_key
def test_named_limits_are_changed_and_the_others_stay(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    issued(stack, capsys, *LIMITS)
    key_id = listed(stack, capsys).split()[0]
    change = ["keys", "limit", key_id, "--stack", stack, "--max-jobs-per-day", "none", "--max-concurrent-jobs", "7"]

    assert main(change) == 0

    assert capsys.readouterr().out == f"{key_id} of tenant acme: 7 at a time, 10GB stored a day.\n"
    assert "7 at a time, 10GB stored a day" in listed(stack, capsys)


def test_a_change_of_no_limit_is_refused_with_a_sentence(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "limit", "key-0123456789ab", "--stack", stack]) == 1
    assert "at least one limit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-concurrent-jobs", "0"),
        ("--max-concurrent-jobs", "none"),
        ("--max-jobs-per-day", "1.5"),
        ("--max-jobs-per-day", "99999999999"),
        ("--max-bytes-per-day", "10"),
        ("--max-bytes-per-day", "ten GB"),
    ],
)
def test_a_limit_that_is_none_makes_no_key(
    stack: str, cloud: Cloud, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "create", "--tenant", "acme", "--stack", stack, option, value])
    assert ended.value.code == 2
    assert f"argument {option}: " in capsys.readouterr().err
    assert aws.client("dynamodb").scan(TableName=cloud.table)["Count"] == 0


@pytest.mark.shows_a_key
def test_revoked_key_is_shown_as_such_and_opens_nothing(
    stack: str, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    key = issued(stack, capsys)
    main(["keys", "list", "--stack", stack])
    key_id = capsys.readouterr().out.splitlines()[1].split()[0]

    assert main(["keys", "revoke", key_id, "--stack", stack]) == 0

    with pytest.raises(Unauthorized):
        verify(cloud, key)
    main(["keys", "list", "--stack", stack])
    assert "revoked" in capsys.readouterr().out


@pytest.mark.shows_a_key
def test_webhook_secret_is_the_one_that_webhooks_are_signed_with(
    stack: str, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhooks", "secret", "--tenant", "acme", "--stack", stack]) == 0

    secret = capsys.readouterr().out.strip()
    keys = WebhookSecrets(aws.client("secretsmanager"), cloud.webhook_secret).keys("acme")
    headers = signed_headers(keys, event_id="msg_1", now=time.time(), body=b"{}")
    assert Webhook(secret).verify(b"{}", headers) == {}


@pytest.mark.shows_a_key
def test_each_tenant_has_a_webhook_secret_of_its_own(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    for tenant in ("acme", "other"):
        main(["webhooks", "secret", "--tenant", tenant, "--stack", stack])

    shown = capsys.readouterr().out.split()
    assert len(set(shown)) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["keys", "revoke", "key-none"], "There is no access key with this id."),
        (["keys", "create", "--tenant", "Not A Tenant"], "A tenant is 1-40 lower-case letters, digits and hyphens."),
        (["webhooks", "secret", "--tenant", ""], "A tenant is 1-40 lower-case letters, digits and hyphens."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    stack: str, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main([*arguments, "--stack", stack]) == 1

    assert capsys.readouterr().err.strip() == sentence


def test_unknown_stack_is_said_in_a_sentence(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list", "--stack", "Reelhaul-nowhere"]) == 1

    assert "Reelhaul-nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["serve", "--port", "0"],
        ["serve", "--port", "x"],
        ["serve", "--allow-origin", "http://127.0.0.1:80"],
        ["serve", "--allow-origin", "127.0.0.1:99999"],
        ["serve", "--invocation-limit", "0"],
        ["keys", "create"],
        ["webhooks", "secret"],
    ],
)
def test_senseless_arguments_are_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: reelhaul" in capsys.readouterr().err


# --- keys for links by CloudFront -------------------------------------------------------------------------------------


@pytest.fixture
def cloudfront_stack(cloud: Cloud) -> Callable[[str], str]:
    """Makes a stack whose links lead to CloudFront, which trusts the public key in a file."""

    def made(public_key_file: str) -> str:
        fingerprint = public_keys.fingerprint(public_keys.read(public_key_file))
        said = {"LinkSecretArn": cloud.link_secret, "LinkKeyIds": f"0123456789abcdef:K0,{fingerprint}:K1"}
        outputs = {name: {"Value": value} for name, value in said.items()}
        template = {"Resources": {"Some": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
        boto3.client("cloudformation").create_stack(StackName="Reelhaul-edge", TemplateBody=json.dumps(template))
        return "Reelhaul-edge"

    return made


def test_new_key_is_for_its_owners_eyes_and_its_public_half_fits_the_template(tmp_path: Path) -> None:
    file = tmp_path / "links.pem"

    assert main(["links", "new-key", "--out", str(file)]) == 0

    assert file.stat().st_mode & 0o777 == 0o600
    private = LinkPrivateKey.of(file.read_text())
    assert public_keys.read(f"{file}.pub") == private.public_pem


@pytest.mark.parametrize("name", ["links.pem", "links.pem.pub"])
def test_no_key_is_overwritten(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text("precious")

    assert main(["links", "new-key", "--out", str(tmp_path / "links.pem")]) == 1

    assert capsys.readouterr().err == f"{tmp_path / name} is there already, and stays as it is.\n"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_key_that_is_set_signs_links_from_then_on(
    cloud: Cloud, cloudfront_stack: Callable[[str], str], tmp_path: Path
) -> None:
    main(["links", "new-key", "--out", str(tmp_path / "key")])
    stack = cloudfront_stack(str(tmp_path / "key.pub"))

    assert main(["links", "set-key", str(tmp_path / "key"), "--stack", stack]) == 0

    stored = boto3.client("secretsmanager").get_secret_value(SecretId=cloud.link_secret)["SecretString"]
    assert stored == (tmp_path / "key").read_text()


def test_key_that_would_sign_dead_links_is_not_set(
    cloud: Cloud, cloudfront_stack: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("known", "unknown"):
        main(["links", "new-key", "--out", str(tmp_path / name)])
    stack = cloudfront_stack(str(tmp_path / "known.pub"))
    capsys.readouterr()

    for name, sentence in (
        ("unknown", "CloudFront does not know this key yet: deploy with its public half in cloudfront_public_key."),
        ("known.pub", "There is no unencrypted private key in it."),
    ):
        assert main(["links", "set-key", str(tmp_path / name), "--stack", stack]) == 1
        assert capsys.readouterr().err == f"{sentence}\n"

    stored = boto3.client("secretsmanager").get_secret_value(SecretId=cloud.link_secret)["SecretString"]
    assert stored == cloud.link_key.to_secret()


def test_stack_whose_links_lead_to_s3_takes_no_such_key(
    stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["links", "new-key", "--out", str(tmp_path / "key")])
    capsys.readouterr()

    assert main(["links", "set-key", str(tmp_path / "key"), "--stack", stack]) == 1

    assert "rotated by itself" in capsys.readouterr().err
