"""Cookies and proxies of single sites: the worker with moto, its real fetcher, real sources and a real proxy."""

import contextlib
import gc
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from downloader import handler
from downloader.site_access import SiteAccess
from reelhaul import aws
from reelhaul.egress import Upstream
from reelhaul.jobs import Job, State
from reelhaul.sites.cookies import Cookie
from reelhaul.sites.store import Site, SiteStore
from tests.conftest import Cloud
from tests.connect_proxy import ConnectProxy
from tests.faults import refused
from tests.integration.test_downloader import handled, received, submitted
from tests.media import SourceServer
from tests.members import MembersServer, netscape

SESSION, PASSWORD = "c4n4ry-c00kie-v4lue", "c4n4ry-pr0xy-p4ss"
SITE = "127.0.0.1"  # the one host that all sources of these tests are at, unless they are asked for as localhost
PREFIX = "Reelhaul-test/sites"


@pytest.fixture
def members(media: Path) -> Iterator[MembersServer]:
    with MembersServer(media, session=SESSION) as server:
        yield server


@pytest.fixture
def upstream() -> Iterator[ConnectProxy]:
    with ConnectProxy(credentials=f"user:{PASSWORD}") as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _installed(cloud: Cloud, members: MembersServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ALLOWED_ORIGINS", f"{members.origin},{members.elsewhere}")
    handler.dependencies.cache_clear()


@pytest.fixture
def sites(cloud: Cloud) -> SiteStore:
    return SiteStore(aws.client("dynamodb"), cloud.table, aws.client("secretsmanager"), PREFIX)


@pytest.fixture
def ran(cloud: Cloud) -> Callable[..., Job]:
    """What became of a job with this URL: `ran(url, tenant="acme")`, on one and the same warm worker."""

    def run(url: str, *, tenant: str = "acme", **fields: Any) -> Job:
        cloud.messages()  # of jobs before it that are to be tried again
        job = submitted(cloud, url, tenant=tenant, **fields)
        assert handled(received(cloud)) == []
        return cloud.store.get(tenant, job.id)

    return run


def cookies(**how: Any) -> str:
    return netscape(("session", SESSION), ("other", "1"), **how)


Run = Callable[..., Job]


# --- cookies ---------------------------------------------------------------------------------------------------------


def test_medium_for_members_is_fetched_with_the_tenants_cookies(
    ran: Run, sites: SiteStore, members: MembersServer, cloud: Cloud
) -> None:
    url = members.url("members/clip.mp4")
    assert ran(url).error_code == "source.forbidden"

    sites.put("acme", Site(name=SITE, cookies=cookies()))

    done = ran(url)
    assert done.state is State.DONE, done
    assert done.stored is not None
    stored = aws.client("s3").get_object(Bucket=cloud.bucket, Key=done.stored.key)["Body"].read()
    assert stored == (members.directory / "clip.mp4").read_bytes()


def alive() -> list[object]:
    """Whatever of sites and cookies this process has in its memory."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Site | SiteAccess | Cookie | Upstream)]


def test_next_tenants_job_on_a_warm_worker_has_none_of_them(ran: Run, sites: SiteStore, members: MembersServer) -> None:
    before = alive()  # those that other modules of tests keep
    sites.put("acme", Site(name=SITE, cookies=cookies()))
    url = members.url("members/clip.mp4")
    assert ran(url).state is State.DONE
    members.seen.clear()

    assert ran(url, tenant="other").error_code == "source.forbidden"

    assert members.cookies_seen() == {None}
    assert [one for one in alive() if not any(one is known for known in before)] == []


def test_removed_site_is_no_more_used_by_the_next_job(ran: Run, sites: SiteStore, members: MembersServer) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies()))
    assert ran(members.url("members/clip.mp4")).state is State.DONE

    sites.remove("acme", SITE)

    assert ran(members.url("members/clip.mp4")).error_code == "source.forbidden"


def test_what_the_site_sets_is_forgotten_with_the_job(ran: Run, sites: SiteStore, members: MembersServer) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies()))
    before = sites.get("acme", SITE)
    for _ in range(2):
        members.seen.clear()
        assert ran(members.url("members/clip.mp4")).state is State.DONE
        brought = [cookies for _, _, cookies in members.seen]
        assert SESSION in str(brought[0])
        assert SESSION not in str(brought[-1])  # it does follow the site meanwhile
    assert sites.get("acme", SITE) == before


def test_host_that_is_redirected_to_gets_no_cookie(ran: Run, sites: SiteStore, members: MembersServer) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies()))

    assert ran(members.url(f"redirect?to=http://{members.elsewhere}/clip.mp4")).state is State.DONE

    assert SESSION in str(members.cookies_seen())
    assert members.cookies_seen("localhost") == {None}


def test_host_of_an_embedded_medium_gets_no_cookie(ran: Run, sites: SiteStore, members: MembersServer) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies()))

    ended = ran(members.url(f"embedding/{members.elsewhere}"))

    assert ended.state is State.DONE, ended
    assert SESSION in str(members.cookies_seen())
    assert members.cookies_seen("localhost") == {None}


def test_job_on_another_host_has_no_cookies_to_send_anywhere(
    ran: Run, sites: SiteStore, members: MembersServer
) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies()))

    ended = ran(f"http://{members.elsewhere}/redirect?to={members.url('members/clip.mp4')}")

    assert ended.error_code == "source.forbidden"
    assert members.cookies_seen() == members.cookies_seen("localhost") == {None}


def test_cookie_for_https_is_not_sent_in_the_clear(ran: Run, sites: SiteStore, members: MembersServer) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies(secure=True)))
    assert ran(members.url("members/clip.mp4")).error_code == "source.forbidden"
    assert members.cookies_seen() == {None}


@pytest.mark.parametrize(
    "text", [netscape(("session", SESSION), domain="localhost"), cookies(expires=int(time.time()) - 10)]
)
def test_cookie_of_another_domain_or_of_yesterday_is_not_used_wherever_it_comes_from(
    ran: Run, sites: SiteStore, members: MembersServer, text: str
) -> None:
    sites.put("acme", Site(name=SITE, cookies=text))  # past the command, which would not have kept it
    ran(members.url(f"redirect?to=http://{members.elsewhere}/members/clip.mp4"))
    assert members.cookies_seen() == members.cookies_seen("localhost") == {None}


@pytest.mark.parametrize(
    ("status", "code", "without", "with_some"),
    [
        (401, "source.login_required", "`reelhaul sites set`", "may have expired"),
        (403, "source.forbidden", "does not allow access", "may have expired"),
        (404, "source.not_found", "does not exist", "does not exist"),
    ],
)
def test_sentence_says_what_can_be_done_about_a_login(
    ran: Run, sites: SiteStore, members: MembersServer, status: int, code: str, without: str, with_some: str
) -> None:
    url = members.url(f"members/clip.mp4?else={status}")
    failed = ran(url)
    assert (failed.error_code, without in str(failed.error)) == (code, True)

    sites.put("acme", Site(name=SITE, cookies=netscape(("session", "outdated"))))

    failed = ran(url)
    assert (failed.error_code, with_some in str(failed.error)) == (code, True)


# --- the proxy -------------------------------------------------------------------------------------------------------


def test_job_on_the_site_goes_through_its_proxy_and_no_other_job(
    ran: Run, sites: SiteStore, members: MembersServer, upstream: ConnectProxy
) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies(), proxy=upstream.url()))

    assert ran(members.url("members/clip.mp4")).state is State.DONE

    assert upstream.connections == members.connections
    assert set(upstream.targets) == {members.origin}
    upstream.targets.clear()
    assert ran(members.url("clip.mp4"), tenant="other").state is State.DONE
    assert ran(f"http://{members.elsewhere}/clip.mp4").state is State.DONE
    assert upstream.targets == []


def test_media_on_other_hosts_go_through_the_proxy_of_the_page(
    ran: Run, sites: SiteStore, members: MembersServer, upstream: ConnectProxy
) -> None:
    sites.put("acme", Site(name=SITE, proxy=upstream.url()))

    assert ran(members.url(f"embedding/{members.elsewhere}")).state is State.DONE

    assert upstream.connections == members.connections
    assert members.cookies_seen("localhost") == {None}


def test_guard_refuses_the_inside_behind_a_proxy_too(
    ran: Run, sites: SiteStore, members: MembersServer, canary: SourceServer, upstream: ConnectProxy
) -> None:
    sites.put("acme", Site(name=SITE, proxy=upstream.url()))

    assert ran(members.url(f"redirect?to={canary.url('clip.mp4')}")).error_code == "source.refused_address"

    assert canary.origin not in upstream.targets


def test_refused_credentials_end_the_job_and_are_said(
    ran: Run, sites: SiteStore, members: MembersServer, upstream: ConnectProxy
) -> None:
    sites.put("acme", Site(name=SITE, proxy=upstream.url("user:wrong")))

    failed = ran(members.url("clip.mp4"))

    assert (failed.state, failed.error_code) == (State.FAILED, "site.proxy_refused")
    assert failed.error == "The proxy that is set for this site refused its credentials, or to lead to the source."
    assert members.connections == 0


@pytest.mark.parametrize("answer", ["502 Bad Gateway", "503 Service Unavailable", None])
def test_proxy_that_fails_is_tried_again_and_never_gone_round(
    ran: Run, sites: SiteStore, members: MembersServer, upstream: ConnectProxy, answer: str | None
) -> None:
    upstream.answer = answer
    url = upstream.url() if answer else "http://127.0.0.1:9"  # discard, where nobody listens
    sites.put("acme", Site(name=SITE, proxy=url))

    job = ran(members.url("clip.mp4"))

    assert (job.state, job.attempts) == (State.QUEUED, 1)
    assert members.connections == 0


def test_proxy_that_keeps_failing_is_named_in_the_end(
    ran: Run, sites: SiteStore, members: MembersServer, upstream: ConnectProxy, cloud: Cloud
) -> None:
    upstream.answer = "503 Service Unavailable"
    sites.put("acme", Site(name=SITE, proxy=upstream.url()))
    job = ran(members.url("clip.mp4"))
    while job.state is State.QUEUED:
        cloud.messages()
        cloud.queue.send(job)
        assert handled(received(cloud)) == []
        job = cloud.store.get(job.tenant, job.id)
    assert (job.state, job.attempts, job.error_code) == (State.FAILED, 3, "site.proxy_failed")


def test_what_cannot_be_read_is_not_done_without(ran: Run, sites: SiteStore, members: MembersServer) -> None:
    sites.put("acme", Site(name=SITE, proxy="http://127.0.0.1:9"))
    with refused("secretsmanager", "GetSecretValue"):
        assert ran(members.url("clip.mp4")).state is State.QUEUED
    sites.put("acme", Site(name=SITE, cookies="what is this?"))
    assert ran(members.url("clip.mp4")).state is State.QUEUED
    assert members.connections == 0


# --- nothing is left -------------------------------------------------------------------------------------------------


def test_no_value_is_left_anywhere(
    ran: Run,
    sites: SiteStore,
    members: MembersServer,
    upstream: ConnectProxy,
    cloud: Cloud,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Jobs that end well and badly, with everything logged that can be; the worker's own logger writes to stdout."""
    caplog.set_level(logging.DEBUG)
    sites.put("acme", Site(name=SITE, cookies=cookies(), proxy=upstream.url()))
    ended = [
        ran(members.url("members/clip.mp4")),
        ran(members.url("members/status/410")),
        ran(members.url("members/one")),
        ran(members.url("members/page.html")),
    ]
    upstream.answer = "407 Proxy Authentication Required"
    ended.append(ran(members.url("members/clip.mp4")))
    sites.put("acme", Site(name=SITE, cookies=f"what is this: {SESSION}", proxy=f"http://{PASSWORD}"))
    ended.append(ran(members.url("members/clip.mp4")))
    assert [job.error_code for job in ended if job.state is State.FAILED] == [
        "source.not_found",
        "source.unsupported",
        "site.proxy_refused",
    ]

    printed = capfd.readouterr()
    logged = printed.out + printed.err + caplog.text
    assert "job_claimed" in logged
    assert "GetSecretValue" in logged  # the SDK did log its part
    assert "site_unreadable" in logged
    items = json.dumps(aws.client("dynamodb").scan(TableName=cloud.table)["Items"])
    messages = "".join(cloud.messages() + cloud.messages(cloud.webhook_queue_url))
    objects = b"".join(
        aws.client("s3").get_object(Bucket=cloud.bucket, Key=key)["Body"].read() for key in cloud.object_keys()
    )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for secret in (SESSION, PASSWORD, "dXNlcjpjNG40"):  # the last begins "user:c4n4" in base64
        assert secret not in logged
        assert secret not in items + messages
        assert secret.encode() not in objects
    assert files == []


def test_no_value_is_in_the_command_line_environment_or_directory_of_a_running_fetcher(
    cloud: Cloud, sites: SiteStore, members: MembersServer, upstream: ConnectProxy, tmp_path: Path
) -> None:
    sites.put("acme", Site(name=SITE, cookies=cookies(), proxy=upstream.url()))
    seen = bytearray()
    own = os.getpid()

    def look() -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and _parent(entry) == own:
                with contextlib.suppress(OSError):  # it hides its environment from all but root, or is gone by now
                    seen.extend((entry / "cmdline").read_bytes())
                    seen.extend((entry / "environ").read_bytes())
        for path in tmp_path.rglob("*"):
            seen.extend(path.name.encode())
            with contextlib.suppress(OSError):  # a directory, or renamed by now
                seen.extend(path.read_bytes())

    members.on_request = look
    job = submitted(cloud, members.url("members/clip.mp4"), tenant="acme")
    assert handled(received(cloud)) == []
    assert cloud.store.get("acme", job.id).state is State.DONE
    assert b"downloader.fetcher" in seen
    assert SESSION.encode() not in seen
    assert PASSWORD.encode() not in seen


def _parent(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
