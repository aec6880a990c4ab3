"""Secrets that can be told from all else, and the search for them in whatever the tests make the service produce.

Every secret that tests set has `MARK` in it: credentials of AWS and whatever else is in the environment, access keys,
the pepper, the masters of webhooks and links, cookies and proxies' passwords. What a test has printed or logged
(metrics are lines, too) is looked through at its end, replies when they come, and what is kept (objects, records,
messages; of the service on this machine its folder) when its installation is torn down. Each process of a parallel run
looks at its own.
"""

import base64
import logging
import re
import secrets
import types
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from reelhaul.webhooks.signing import tenant_key

MARK = "c4n4ry"
PEPPER, WEBHOOK_MASTER = f"{MARK} pepper", f"{MARK} master of webhooks"
ENVIRONMENT = {
    "AWS_SECRET_ACCESS_KEY": f"{MARK}-aws-secret",
    "AWS_SESSION_TOKEN": f"{MARK}-session-token",
    "SOMEBODY_ELSES_PASSWORD": f"{MARK}-environment",
}
_TENANTS = ("acme", "umbrella", "other")


def _in_base64(text: bytes) -> Iterator[str]:
    """Its letters wherever it may begin: three bytes are four, and at the edges they depend on what is beside."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + text + b"\0" * 3).decode()
        yield whole[-(-before * 8 // 6) : (before + len(text)) * 8 // 6]


# The keys that sign a tenant's webhooks are made of the master, and do not have its mark.
_DERIVED = [base64.b64encode(tenant_key(WEBHOOK_MASTER, tenant)).decode().rstrip("=") for tenant in _TENANTS]
_PATTERN = "|".join(map(re.escape, [MARK, *_in_base64(MARK.encode()), *_DERIVED]))
_TEXT, _BYTES = re.compile(_PATTERN), re.compile(_PATTERN.encode())
_found: list[str] = []
_read: list[str] = []  # by a test, of what was printed


class SecretShown(AssertionError):
    """A secret is where none may be; the message says where, with what stands around it."""


def around(produced: str | bytes) -> str | None:
    """What stands around the first secret in there, `None` where there is none."""
    hit = _BYTES.search(produced) if isinstance(produced, bytes) else _TEXT.search(produced)
    if hit is None:
        return None
    seen = produced[max(0, hit.start() - 60) : hit.end() + 30]
    return seen.decode(errors="replace") if isinstance(seen, bytes) else seen


def assert_none(produced: object, *, where: str) -> None:
    """Raises `SecretShown`. What is neither text nor bytes is looked at as Python shows it."""
    seen = around(produced if isinstance(produced, str | bytes) else repr(produced))
    if seen is not None:
        raise SecretShown(f"a secret in {where}: ...{seen}...")


# --- where they come from ---------------------------------------------------------------------------------------------


def mark_new_secrets(patch: pytest.MonkeyPatch) -> None:
    """Whatever the service or AWS makes up from now on has the mark, and is otherwise as random as ever."""
    made_up = types.SimpleNamespace(
        token_urlsafe=lambda size: f"{MARK}-{secrets.token_urlsafe(size)}", token_hex=secrets.token_hex
    )
    patch.setattr("reelhaul.keys.secrets", made_up)
    patch.setattr("reelhaul.egress.proxy.secrets", made_up)
    patch.setattr("moto.iam.models.random_alphanumeric", _marked_alphanumeric)


def _marked_alphanumeric(length: int) -> str:
    return (MARK + secrets.token_hex(length))[:length]


# --- what is kept -----------------------------------------------------------------------------------------------------


def search_cloud(region: str) -> None:
    """Every object with its metadata, every record and every message in moto. Raises `SecretShown`."""
    for bucket in get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].buckets.values():
        for key in bucket.keys.values():
            assert_none(key.value, where=f"the object {key.name}")
            assert_none([key.name, key.metadata], where=f"what is said of the object {key.name}")
    for table in get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][region].tables.values():
        for item in table.all_items():
            assert_none(item.to_json(), where="a record")
    for queue in get_backend("sqs")[DEFAULT_ACCOUNT_ID][region].queues.values():
        for message in queue._messages:  # noqa: SLF001 - `messages` leaves out those that somebody holds
            assert_none(message.body, where="a message")


_OWN_STORES = ("secretsmanager", "iam")  # of the engine's state: where secrets belong


def search_folder(folder: Path) -> None:
    """Every file of a service on this machine, but where the engine keeps secrets as such. Raises `SecretShown`."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith(_OWN_STORES):
            assert_none(path.read_bytes(), where=f"the file {path.relative_to(folder)}")


# --- what is printed and logged ---------------------------------------------------------------------------------------


_NOT_OURS = {"botocore", "urllib3"}  # where a test has them tell everything, they tell of credentials, too


class _Listener(logging.Handler):
    """Sees a record with all its fields, also where a test has taken the function's own output for itself."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in _NOT_OURS:
            return
        seen = around(repr({name: value for name, value in vars(record).items() if name != "exc_info"}))
        if seen is not None:
            _found.append(f"the log of {record.name}: ...{seen}...")


_listener = _Listener()
_patch = pytest.MonkeyPatch()


def pytest_sessionstart() -> None:
    logging.getLogger().addHandler(_listener)
    _patch.setattr(pytest.CaptureFixture, "readouterr", _searching(pytest.CaptureFixture.readouterr))


def pytest_sessionfinish() -> None:
    logging.getLogger().removeHandler(_listener)
    _patch.undo()


def _searching(readouterr: Callable[..., Any]) -> Callable[..., Any]:
    """What a test takes for itself is in no report."""

    def read(self: pytest.CaptureFixture[Any]) -> Any:
        taken = readouterr(self)
        seen = [around(text) for text in taken]
        _read.extend(f"what the test has read: ...{text}..." for text in seen if text is not None)
        return taken

    return read


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that passes and has shown a secret meanwhile has failed.

    But for one with the marker `shows_a_key`, which may read that: a new key is shown once, to whoever made it.
    """
    report = yield
    if item.get_closest_marker("shows_a_key") is not None:
        _read.clear()
    printed = ((name, around(text)) for name, text in report.sections if name.startswith("Captured std"))
    found = [*_found, *_read, *(f"{name}: ...{seen}..." for name, seen in printed if seen and name.endswith(call.when))]
    _found.clear()
    _read.clear()
    if found and report.passed:
        report.outcome = "failed"
        report.longrepr = f"A secret was shown in {item.nodeid}.\n" + "\n".join(found)
    return report
