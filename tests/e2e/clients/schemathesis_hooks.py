"""What schemathesis runs with: nothing that it makes up may have the service connect to anywhere but this machine.

It is loaded by schemathesis itself (`hooks` in `schemathesis.toml`).
"""

import itertools
import os
import re
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from schemathesis.generation.meta import TestPhase

from reelhaul.sources import MAX_URL_CHARS
from tests import canaries
from tests.e2e.clients.harmless import LOOPBACK, harmless_body, sound_address

_send = requests.Session.send


def _send_harmless(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
    """The last step before the network, whichever part of schemathesis made the request."""
    if urlsplit(request.url or "").hostname != LOOPBACK:
        raise AssertionError(f"a request to {request.url}")
    body = harmless_body(request.body)
    if body != request.body:
        request.prepare_body(body, None)
    reply = _send(session, request, **options | {"allow_redirects": False})  # the link is not what is described
    canaries.assert_none([reply.content, reply.headers], where=f"the reply to {request.method} {request.url}")
    return reply


requests.Session.send = _send_harmless  # type: ignore[assignment, method-assign]


# --- what a schema has no words for ----------------------------------------------------------------------------------

Case = schemathesis.Case[Any]
_ended = itertools.cycle(os.environ.get("REELHAUL_ENDED_JOBS", "").split())  # ids, one after the other
_ADDRESSES = {"stream_link", "url", "callback_url"}
_tokens: set[str] = set()


@schemathesis.hook
def after_call(_context: schemathesis.HookContext, case: Case, response: schemathesis.Response) -> None:
    """Remember the tokens that the service has given away for a list of everything."""
    if (case.query or {}).get("status") is not None:
        return
    found = re.search(rb'"next_token":"([^"]+)"', response.content)
    if found is not None:
        _tokens.add(found[1].decode())


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Case, _kwargs: dict[str, Any]) -> None:
    """Make of a request that fits its schema one that makes sense, so that it has to be accepted."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    _use_key_once(case)
    _use_own_token(case)
    _use_ended_job(case)
    if isinstance(case.body, dict):
        _turn_round(case.body.get("clip"))
        for field in _ADDRESSES & case.body.keys():
            _mend_address(case.body, field)


def _use_key_once(case: Case) -> None:
    """The same key with another request is refused, and rightly so."""
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]}-{case.id}"


def _use_own_token(case: Case) -> None:
    """A token has to be one of the service's, comes instead of a page's number and belongs to a status."""
    query = case.query or {}
    if query.get("next_token") in _tokens:
        query.pop("page_index", None)
        query.pop("status", None)
    else:
        query.pop("next_token", None)


def _use_ended_job(case: Case) -> None:
    """Read what there is, since a made-up id is only ever answered with 404. Later phases have ids of their own."""
    assert case.meta is not None
    is_own = case.meta.phase.name in {TestPhase.EXAMPLES, TestPhase.STATEFUL}
    if case.method == "GET" and "id" in (case.path_parameters or {}) and not is_own:
        case.path_parameters["id"] = next(_ended)


def _mend_address(body: dict[str, Any], field: str) -> None:
    if isinstance(body[field], str):
        body[field] = sound_address(body[field], longest=MAX_URL_CHARS)


def _turn_round(clip: Any) -> None:
    """A clip ends after it starts."""
    if isinstance(clip, dict) and clip.get("end") is not None and clip["end"] <= (clip.get("start") or 0):
        clip["start"], clip["end"] = 0, max(1, clip["end"])
