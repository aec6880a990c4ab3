"""`reelhaul sites`, against a deployed stack as moto imitates one."""

import io
import json
import time
from pathlib import Path

import boto3
import pytest

from reelhaul import aws
from reelhaul.cli import main
from reelhaul.sites.store import Site, SiteStore
from tests.conftest import Cloud

PREFIX = "Reelhaul-test/sites"
VALUE, PASSWORD = "c00kie-v4lue", "pr0xy-p4ss"
PROXY = f"http://user:{PASSWORD}@proxy.example:3128"
DAY_S = 86_400


@pytest.fixture
def stack(cloud: Cloud) -> str:
    outputs = {"TableName": {"Value": cloud.table}, "SitesPrefix": {"Value": PREFIX}}
    template = {"Resources": {"Some": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    boto3.client("cloudformation").create_stack(StackName="Reelhaul-test", TemplateBody=json.dumps(template))
    return "Reelhaul-test"


@pytest.fixture
def store(cloud: Cloud) -> SiteStore:
    return SiteStore(aws.client("dynamodb"), cloud.table, aws.client("secretsmanager"), PREFIX)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Of all sites that a browser knows, as exporters write them."""
    now = int(time.time())
    rows = [
        (".example.com", "TRUE", "/", "TRUE", str(now + 30 * DAY_S), "session", VALUE),
        ("www.example.com", "FALSE", "/", "FALSE", str(now + 90 * DAY_S), "other", VALUE),
        (".example.com", "TRUE", "/", "TRUE", str(now - DAY_S), "old", VALUE),
        *((f".site{number}.example", "TRUE", "/", "TRUE", "0", "session", VALUE) for number in range(7)),
    ]
    path = tmp_path / "cookies.txt"
    path.write_text("# Netscape HTTP Cookie File\n\n" + "".join("\t".join(row) + "\n" for row in rows))
    return path


def run(stack: str, *arguments: str, tenant: str = "acme") -> int:
    return main(["sites", *arguments, "--tenant", tenant, "--stack", stack])


def test_cookies_of_the_site_are_kept_and_the_rest_counted(
    stack: str, store: SiteStore, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, "set", "example.com", "--cookies", str(exported)) == 0

    said = capsys.readouterr()
    assert said.out == "example.com of tenant acme is set, from the next job on.\n"
    assert said.err == "Cookies: 2 of example.com kept, 1 expired and 7 of other sites left out.\n"
    kept = store.get("acme", "example.com").cookies
    assert [line.split("\t")[5] for line in kept.splitlines()] == ["session", "other"]


def test_what_is_not_named_stays_as_it_is(stack: str, store: SiteStore, exported: Path) -> None:
    run(stack, "set", "example.com", "--cookies", str(exported))
    run(stack, "set", "Example.COM", "--proxy", PROXY)

    both = store.get("acme", "example.com")
    assert VALUE in both.cookies
    assert both.proxy == PROXY
    run(stack, "set", "example.com", "--no-cookies")
    assert store.get("acme", "example.com") == Site(name="example.com", proxy=PROXY)
    run(stack, "set", "example.com", "--no-proxy", "--cookies", str(exported))
    assert store.get("acme", "example.com").proxy is None


def test_sites_are_each_tenants_own(stack: str, store: SiteStore) -> None:
    run(stack, "set", "example.com", "--proxy", PROXY)

    assert store.names("other") == {}
    assert run(stack, "remove", "example.com", tenant="other") == 1
    assert store.get("acme", "example.com").proxy == PROXY


def test_list_shows_what_is_set_and_nothing_secret(
    stack: str, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(stack, "set", "example.com", "--cookies", str(exported), "--proxy", PROXY)
    run(stack, "set", "video.example.com", "--proxy", "https://[2001:db8::1]:443")
    capsys.readouterr()

    assert run(stack, "list") == 0

    shown = capsys.readouterr().out
    expiry = time.strftime("%Y-%m-%d", time.gmtime(int(time.time()) + 30 * DAY_S))
    header, *rows = (line.split() for line in shown.splitlines())
    assert header[0] == "SITE"
    assert [row[:4] for row in rows] == [
        ["example.com", "2", expiry, "http://proxy.example:3128"],
        ["video.example.com", "0", "-", "https://[2001:db8::1]:443"],
    ]
    assert PASSWORD not in shown
    assert VALUE not in shown
    assert "user" not in shown


def test_list_says_how_many_have_expired_since(
    stack: str, store: SiteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put("acme", Site(name="example.com", cookies="example.com\tFALSE\t/\tFALSE\t1\told\tx\n"))
    run(stack, "list")
    assert "0 (1 expired)" in capsys.readouterr().out


def test_removed_site_is_gone(stack: str, store: SiteStore, capsys: pytest.CaptureFixture[str]) -> None:
    run(stack, "set", "example.com", "--proxy", PROXY)

    assert run(stack, "remove", "EXAMPLE.com") == 0

    assert store.names("acme") == {}
    assert run(stack, "remove", "example.com") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "Nothing is set for this site."


def test_secrets_can_come_from_standard_input(
    stack: str, store: SiteStore, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PROXY}\n"))
    assert run(stack, "set", "example.com", "--proxy", "-") == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(exported.read_bytes())))
    assert run(stack, "set", "example.com", "--cookies", "-") == 0

    found = store.get("acme", "example.com")
    assert found.proxy == PROXY
    assert VALUE in found.cookies


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["set", "example.com"], "There is nothing to set: "),
        (["set", "com", "--proxy", PROXY], "A site is the name of a host with a dot in it"),
        (["set", "https://example.com/", "--proxy", PROXY], "A site is the name of a host with a dot in it"),
        (["set", "co.uk", "--proxy", PROXY], "co.uk is no site: everybody can have one below it."),
        (["set", "github.io", "--proxy", PROXY], "github.io is no site"),
        (["set", "example.com", "--no-proxy"], "Nothing would be left. `reelhaul sites remove` forgets the site."),
        (["set", "example.com", "--cookies", "-", "--proxy", "-"], "Only one of cookies and proxy"),
        (["set", "example.com", "--cookies", "/nowhere/cookies.txt"], "[Errno 2] No such file"),
        (["set", "example.com", "--proxy", f"socks5://user:{PASSWORD}@p.example:1"], "SOCKS is not spoken here"),
        (["set", "example.com", "--proxy", f"http://user:{PASSWORD}@p.example"], "A proxy is http://HOST:PORT"),
        (["set", "example.com", "--proxy", PROXY, "--tenant", "No Tenant"], "A tenant is 1-40 lower-case letters"),
        (["remove", "example.com"], "Nothing is set for this site."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_and_changes_nothing(
    stack: str, store: SiteStore, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    tenant = [] if "--tenant" in arguments else ["--tenant", "acme"]
    assert main(["sites", *arguments, *tenant, "--stack", stack]) == 1

    said = capsys.readouterr().err
    assert said.startswith(sentence)
    assert PASSWORD not in said
    assert store.names("acme") == {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe" + VALUE.encode(), "A file of cookies is text in UTF-8."),
        (f'[{{"value": "{VALUE}"}}]'.encode(), "Line 1 of the cookies: this is no cookie. Netscape's format has seven"),
        (b"", "There is no cookie to use: 0 of tv.example.com kept, 0 expired and 0 of other sites left out."),
        (
            f".example.com\tTRUE\t/\tTRUE\t0\tsession\t{VALUE}\n".encode(),
            "Of them 1 of example.com, which tv.example.com is a part of: they are used if example.com is set instead.",
        ),
        (f"tv.example.com\tFALSE\t/\tTRUE\t7\tsession\t{VALUE}\n".encode(), "There is no cookie to use: 0 of "),
        (
            f"tv.example.com\tFALSE\t/\tTRUE\t0\tsession\t{VALUE * 6000}\n".encode(),
            "The cookies of tv.example.com take",
        ),
        (bytes(16 * 1024**2 + 1), "These are more than 16,777,216 bytes, which no file of cookies has."),
    ],
    ids=["bytes", "JSON", "empty", "of the domain", "expired", "too many", "huge"],
)
def test_file_without_a_cookie_for_the_site_is_refused_and_changes_nothing(
    stack: str, store: SiteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, sentence: str
) -> None:
    path = tmp_path / "cookies.txt"
    path.write_bytes(content)

    assert run(stack, "set", "tv.example.com", "--cookies", str(path)) == 1

    said = capsys.readouterr().err
    assert sentence in said
    assert VALUE not in said
    assert store.names("acme") == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["sites"],
        ["sites", "set", "--tenant", "acme"],
        ["sites", "set", "example.com", "--proxy", "http://p.example:1"],
        ["sites", "set", "example.com", "--tenant", "acme", "--cookies", "a", "--no-cookies"],
        ["sites", "list"],
    ],
)
def test_senseless_arguments_are_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: reelhaul" in capsys.readouterr().err
