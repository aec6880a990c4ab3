"""The handlers of a deployment whose links lead to CloudFront."""

import dataclasses
import time
from collections.abc import Callable
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest

import deliver_webhooks.handler
import get_status.handler
from reelhaul import aws
from reelhaul.jobs import Job
from reelhaul.links.cloudfront import LinkPrivateKey
from tests.cloudfront_judgement import judge
from tests.conftest import Cloud
from tests.integration.conftest import Api
from tests.jobs_in import done, queued

DOMAIN = "d111111abcdef8.cloudfront.net"
OLD, NEW = LinkPrivateKey.made(), LinkPrivateKey.made()
TRUSTED = {"K1": OLD.public_pem, "K2": NEW.public_pem}
Given = Callable[..., Job]


@pytest.fixture(autouse=True)
def secret(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both keys are trusted; the old one is the one that signs."""
    arn: str = aws.client("secretsmanager").create_secret(Name="private", SecretString=OLD.secret)["ARN"]
    monkeypatch.setenv("LINK_SECRET_ARN", arn)
    monkeypatch.setenv("LINK_DOMAIN", DOMAIN)
    monkeypatch.setenv("LINK_KEY_IDS", f"{OLD.fingerprint}:K1,{NEW.fingerprint}:K2")
    return arn


def test_the_link_of_a_job_leads_to_its_object_by_cloudfront(api: Api, given: Given) -> None:
    job = given(done)
    data = api("GET", f"/download/{job.id}").body["data"]
    link = urlsplit(data["download_url"])
    assert job.stored is not None
    assert (link.scheme, link.netloc, link.path) == ("https", DOMAIN, f"/{job.stored.key}")
    judge(data["download_url"], trusted=TRUSTED)
    assert int(parse_qs(link.query)["Expires"][0]) == pytest.approx(time.time() + 86_400, abs=300)


def test_every_job_of_a_list_has_its_link(api: Api, given: Given) -> None:
    jobs = {job.id: job for job in (given(done) for _ in range(3))}
    rows = api("GET", "/download").body["data"]["downloads"]
    assert {row["id"] for row in rows} == jobs.keys()
    for row in rows:
        judge(row["download_url"], trusted=TRUSTED)
        stored = jobs[row["id"]].stored
        assert stored is not None
        assert urlsplit(row["download_url"]).path == f"/{stored.key}"


def test_a_token_of_a_list_outlives_a_change_of_the_key(api: Api, given: Given, secret: str) -> None:
    made = [given(queued, now=time.time() - 100 + second).id for second in range(3)]
    token = api("GET", "/download", query={"count": "2"}).body["data"]["next_token"]
    aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=NEW.secret)
    for elsewhere in (False, True):
        if elsewhere:  # a process that knows the new key only
            import list_downloads.handler  # noqa: PLC0415 - beside what is said of it

            list_downloads.handler.dependencies.cache_clear()
        page = api("GET", "/download", query={"count": "2", "next_token": token}).body["data"]["downloads"]
        assert [row["id"] for row in page] == made[:1]


@pytest.mark.parametrize(("there", "status"), [(True, 307), (False, 404)])
def test_the_file_is_a_redirect_to_a_link_with_the_name_that_curl_can_read(
    api: Api, given: Given, *, there: bool, status: int
) -> None:
    job = given(done, name="Ünïcode")
    wired = get_status.handler.dependencies()
    links = mock.Mock(wraps=wired.links)
    links.reaches.side_effect = lambda _key: there  # asks CloudFront, which is not here
    with mock.patch.object(get_status.handler, "dependencies", return_value=dataclasses.replace(wired, links=links)):
        reply = api("GET", f"/api/download/{job.id}/file", headers={"user-agent": "curl/8.5.0"})
    assert reply.status == status
    if there:
        judge(reply.headers["Location"], trusted=TRUSTED)
        assert "response-content-disposition=attachment" in reply.headers["Location"]


def test_webhooks_are_wired_to_the_same_links(given: Given) -> None:
    with mock.patch.object(deliver_webhooks.handler, "Courier") as courier:
        deliver_webhooks.handler.dependencies()
    judge(courier.call_args.kwargs["links"].sign("acme/x").url, trusted=TRUSTED)
    deliver_webhooks.handler.dependencies.cache_clear()
