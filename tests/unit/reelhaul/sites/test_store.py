"""What is set for sites, as it is kept."""

import json

import pytest

from reelhaul import aws
from reelhaul.errors import InvalidRequest, SiteNotFound, SiteUnreadable
from reelhaul.sites.store import MAX_SECRET_BYTES, Site, SiteStore
from tests.conftest import Cloud
from tests.faults import refused

SECRET = "s3cr3t-v4lu3"
SITE = Site(
    name="example.com", cookies=f"example.com\tFALSE\t/\tFALSE\t0\tsession\t{SECRET}\n", proxy=f"http://{SECRET}@p:1"
)


@pytest.fixture
def store(cloud: Cloud) -> SiteStore:
    return SiteStore(
        aws.client("dynamodb"), cloud.table, aws.client("secretsmanager"), "Some-stack/sites", clock=lambda: 1000.0
    )


def secrets() -> list[str]:
    return [
        one["Name"] for one in aws.client("secretsmanager").list_secrets()["SecretList"] if "/sites/" in one["Name"]
    ]


def test_each_tenants_site_is_a_secret_of_its_own(store: SiteStore) -> None:
    store.put("acme", SITE)
    store.put("other", Site(name="example.com", proxy="http://127.0.0.1:1"))

    assert secrets() == ["Some-stack/sites/acme/example.com", "Some-stack/sites/other/example.com"]
    assert store.get("acme", "example.com") == SITE
    assert store.names("acme") == {"example.com": 1000}


def test_table_knows_names_only(store: SiteStore, cloud: Cloud) -> None:
    store.put("acme", SITE)

    items = aws.client("dynamodb").scan(TableName=cloud.table)["Items"]
    assert items == [{"pk": {"S": "TENANT#acme#sites"}, "sk": {"S": "example.com"}, "set_at": {"N": "1000"}}]


def test_what_is_set_again_takes_the_place_of_what_was(store: SiteStore) -> None:
    store.put("acme", SITE)
    store.put("acme", Site(name="example.com", proxy="http://127.0.0.1:1"))

    assert store.get("acme", "example.com").cookies == ""
    assert secrets() == ["Some-stack/sites/acme/example.com"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/a", "example.com"),
        ("https://www.example.com/a", "example.com"),
        ("https://badexample.com/a", None),
        ("https://example.com.evil.example/", None),
        ("https://example.com@evil.example/", None),
        ("https://evil.example/?https://example.com/", None),
        ("http://[/", None),
    ],
)
def test_site_of_a_url_is_found(store: SiteStore, url: str, name: str | None) -> None:
    store.put("acme", SITE)
    found = store.for_url("acme", url)
    assert (found and found.name) == name
    assert store.for_url("other", url) is None


def test_no_secret_is_read_for_a_url_of_no_site(store: SiteStore) -> None:
    store.put("acme", SITE)
    with refused("secretsmanager", "GetSecretValue") as refusals:
        assert store.for_url("acme", "https://elsewhere.example/") is None
        assert refusals == []


def test_removed_site_is_gone_at_once_and_for_good(store: SiteStore) -> None:
    store.put("acme", SITE)
    store.remove("acme", "example.com")

    assert store.for_url("acme", "https://example.com/") is None
    assert secrets() == []
    with pytest.raises(SiteNotFound):
        store.remove("acme", "example.com")
    store.put("acme", SITE)
    assert store.get("acme", "example.com") == SITE


def test_removal_that_was_cut_short_can_be_finished(store: SiteStore) -> None:
    store.put("acme", SITE)
    with refused("secretsmanager", "DeleteSecret"), pytest.raises(Exception, match="not today"):
        store.remove("acme", "example.com")

    assert store.for_url("acme", "https://example.com/") is None
    with pytest.raises(SiteNotFound):
        store.remove("acme", "example.com")
    assert secrets() == []


def test_without_its_secret_a_site_is_not_taken_for_none(store: SiteStore) -> None:
    store.put("acme", SITE)
    with refused("secretsmanager", "GetSecretValue"), pytest.raises(SiteUnreadable):
        store.for_url("acme", "https://example.com/")
    with refused("dynamodb", "Query"), pytest.raises(SiteUnreadable):
        store.for_url("acme", "https://example.com/")
    aws.client("secretsmanager").delete_secret(SecretId="Some-stack/sites/acme/example.com")
    with pytest.raises(SiteUnreadable):
        store.for_url("acme", "https://example.com/")


@pytest.mark.parametrize(
    "text", ["", SECRET, "[]", '"x"', "{}", '{"cookies": 7, "proxy": null}', '{"cookies": "", "proxy": ["x"]}']
)
def test_secret_that_is_not_ours_is_unreadable_and_not_shown(text: str) -> None:
    with pytest.raises(SiteUnreadable) as caught:
        Site.from_secret("example.com", text)
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)


def test_more_than_a_secret_holds_is_refused_and_changes_nothing(store: SiteStore) -> None:
    store.put("acme", SITE)
    room = MAX_SECRET_BYTES - len(json.dumps({"cookies": "", "proxy": None}))
    store.put("acme", Site(name="example.com", cookies="x" * room))
    with pytest.raises(InvalidRequest, match=r"65,537 bytes; Secrets Manager keeps 65,536\.$"):
        store.put("acme", Site(name="example.com", cookies="x" * (room + 1)))
    assert len(store.get("acme", "example.com").cookies) == room


def test_nothing_secret_is_in_what_a_site_looks_like() -> None:
    assert SECRET not in repr(SITE)
