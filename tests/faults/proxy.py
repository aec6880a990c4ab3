"""A reverse proxy between the functions and AWS, which does to their calls what networks and services do to them.

It knows nothing of the product but what goes over the wire. What it has to do is said as rules: which call, of which
job, how often, and what becomes of it.
"""

import dataclasses
import http.client
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.faults import calls
from tests.faults.calls import Call

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "te", "upgrade", "content-length"}
_FORWARD_S = 60.0

STORAGE = {"PutObject", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload", "HeadObject", "DeleteObject",
           "AbortMultipartUpload", "ListObjectsV2", "ListMultipartUploads", "GetObject"}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


Forward = Callable[[], Reply]
# What becomes of a call: the reply that its caller gets, `None` for a connection that breaks before one.
Act = Callable[[Call, Forward], Reply | None]
Watch = Callable[[Call], object]


def passed_on(_call: Call, forward: Forward) -> Reply:
    return forward()


def refused(status: int = 500) -> Act:
    """The service answers with an error and has done nothing."""

    def act(call: Call, _forward: Forward) -> Reply:
        if call.operation in STORAGE:
            code = "SlowDown" if status == 503 else "InternalError"
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>not today</Message></Error>"
            return Reply(status, [("Content-Type", "application/xml")], b"" if _is_bare(call) else text.encode())
        text = '{"__type":"InternalServerError","message":"not today"}'
        return Reply(status, [("Content-Type", "application/x-amz-json-1.0")], text.encode())

    return act


def late(seconds: float) -> Act:
    """It takes its time on the way there."""

    def act(_call: Call, forward: Forward) -> Reply:
        time.sleep(seconds)
        return forward()

    return act


def reply_lost(_call: Call, forward: Forward) -> None:
    """It is carried out, and nobody hears of it."""
    forward()


def failed_although_done(call: Call, forward: Forward) -> Reply | None:
    """It is carried out, and the answer is an error."""
    forward()
    return refused(500)(call, forward)


def preceded_by(deed: Watch, then: Act = passed_on) -> Act:
    """Something happens, once, just before it is carried out; who repeats the call meanwhile waits for that as well."""
    lock = threading.Lock()
    done: list[Call] = []

    def act(call: Call, forward: Forward) -> Reply | None:
        with lock:
            if not done:
                done.append(call)
                deed(call)
        return then(call, forward)

    return act


def followed_by(deed: Watch, then: Act = reply_lost) -> Act:
    """Something happens once it has been carried out, before its caller knows."""

    def act(call: Call, forward: Forward) -> Reply | None:
        reply = forward()
        deed(call)
        return then(call, lambda: reply)

    return act


@dataclasses.dataclass(slots=True, kw_only=True)
class Rule:
    """For the `times` first calls that fit, after the first `skip` of them. `None` fits everything.

    `then` is done after the reply was sent.
    """

    act: Act = passed_on
    caller: str | None = None
    operations: set[str] | None = None
    url: str | None = None
    write: tuple[str, str] | None = None
    skip: int = 0
    times: int = 1
    then: Watch | None = None
    met: int = 0

    def fits(self, call: Call, url: str | None) -> bool:
        return (
            (self.caller is None or self.caller == call.caller)
            and (self.operations is None or call.operation in self.operations)
            and (self.url is None or self.url == url)
            and (self.write is None or self.write == call.write)
        )

    def takes(self) -> bool:
        """Count a call that fits. Whether it is one of those that are meant."""
        self.met += 1
        return self.skip < self.met <= self.skip + self.times

    @property
    def hits(self) -> int:
        """How many calls it was applied to."""
        return max(0, min(self.met - self.skip, self.times))


class FaultProxy:
    """In front of the AWS at 127.0.0.1:`port`. `chance`, if given, may disturb calls that no rule is for.

    `claimed` is told of every claim that was carried out: of which job, and from which port it came.
    """

    def __init__(
        self, port: int, *, claimed: Callable[[str, int], object] = lambda *_: None,
        chance: Callable[[Call], Act | None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.port = port
        self.claimed = claimed
        self.chance = chance
        self.log: list[tuple[float, Call]] = []  # when (time.time) came what
        self.urls: dict[str, str] = {}
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._servers: dict[str, _Server] = {}

    def address_for(self, caller: str) -> str:
        """Where the function `caller` finds AWS."""
        if caller not in self._servers:
            server = self._servers[caller] = _Server(self, caller)
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        return f"http://127.0.0.1:{self._servers[caller].server_port}"

    def disturb(self, rule: Rule) -> Rule:
        with self._lock:
            self._rules.append(rule)
        return rule

    def rule_for(self, call: Call) -> Rule:
        """The first rule that applies to `call`; each that fits counts it."""
        with self._lock:
            self.log.append((time.time(), call))
            if call.job_id and call.url:
                self.urls[call.job_id] = call.url
            url = self.urls.get(call.job_id or "")
            taking = [rule for rule in self._rules if rule.fits(call, url) and rule.takes()]
        return taking[0] if taking else Rule(act=self.chance(call) or passed_on)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy, caller: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy, self.caller = proxy, caller

    def handle_error(self, *_: object) -> None:
        """A caller that was killed, or that has lost its patience, breaks off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = self._body()
        call = calls.read(self.server.caller, self.command, self.path, self.headers, body)
        proxy = self.server.proxy
        rule = proxy.rule_for(call)
        self._answer(rule.act(call, lambda: self._forward(call, body)))
        if rule.then is not None:
            rule.then(call)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - named by the base class

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            continue
        return b"".join(pieces)

    def _forward(self, call: Call, body: bytes) -> Reply:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.proxy.port, timeout=_FORWARD_S)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()
        if call.is_claim and call.job_id and reply.status == 200:
            self.server.proxy.claimed(call.job_id, self.client_address[1])
        return reply

    def _answer(self, reply: Reply | None) -> None:
        if reply is None:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            if name.lower() not in _HOP_BY_HOP or (name.lower() == "content-length" and self.command == "HEAD"):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else reply.body)

    def log_message(self, *_: object) -> None:
        """Nothing: `FaultProxy.calls` has it."""


def _is_bare(call: Call) -> bool:
    return call.operation == "HeadObject"
