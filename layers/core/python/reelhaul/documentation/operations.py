"""Every route: what it is for, what it takes and what it answers, in the order of the document. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from reelhaul.documentation.words import Schema, ref
from reelhaul.errors import BytesPerDayReached, ConcurrentJobsReached, JobsPerDayReached

Operation = dict[str, Any]

FIRST, SECOND, ITSELF = "First contract", "Second contract", "The service itself"
TAGS = [
    {"name": FIRST, "description": "`/download`: for the `videodb` SDKs, and for everybody else."},
    {"name": SECOND, "description": "`/api`: for clients of the OfflineTube API."},
    {"name": ITSELF, "description": "For everybody, without a key."},
]
_ANY_KEY: list[Schema] = [{"accessToken": []}, {"bearer": []}]
JSON = "application/json"

# --- what may go wrong -----------------------------------------------------------------------------------------------

_INVALID = {"400": ["request.invalid"]}
_BODY = _INVALID | {"413": ["request.too_large"], "415": ["request.media_type"]}
_SITE = {"403": ["source.site_not_allowed"]}
# An id with characters that no id has may be refused before it is looked at as one.
_NO_JOB = {"404": ["job.not_found", "route.not_found"]}
_NO_FILE = {"404": ["job.not_found", "file.not_found", "route.not_found"]}
_OVER_LIMIT = {"429": [cls.code for cls in (ConcurrentJobsReached, JobsPerDayReached, BytesPerDayReached)]}
_ALWAYS = {"401": ["auth.unauthorized"], "429": [], "500": ["internal"], "503": ["service.unavailable"]}
_WHY = {
    "400": "The request cannot be understood; `field` names what is to blame. Nothing was changed.",
    "401": "There is no key, or none that is valid.",
    "403": "The operator allows other sites only, or not this one. Nothing was changed.",
    "404": "There is no such thing, or it belongs to another tenant.",
    "409": "The download is not in a state that allows this. Nothing was changed.",
    "413": "The body is too large.",
    "415": "The body says of itself that it is something else than JSON.",
    "422": "The request is well formed and cannot be carried out.",
    "429": "More than the key allows, or than the service takes at a time. Nothing was changed.",
    "500": "Something went wrong on our side.",
    "503": "The service cannot answer at the moment.",
}
_HEADERS = {
    "401": {"WWW-Authenticate": ref("WwwAuthenticate", kind="headers")},
    "429": {"Retry-After": ref("RetryAfter", kind="headers")},
    "503": {"Retry-After": ref("RetryAfter", kind="headers")},
}
_OF_GATEWAY = {"413", "429", "500", "503"}  # API Gateway may also say this itself, in words of its own


def _refusal(status: str, codes: Sequence[str], shape: str) -> Schema:
    """`codes` may also be the beginning of one, as in "source."; none at all where only API Gateway says this."""
    known = {"pattern": f"^{codes[0][:-1]}[.]"} if codes and codes[0].endswith(".") else {"enum": list(codes)}
    ours = {"allOf": [ref(shape), {"properties": {"code": known}}]}
    foreign = ref("GatewayError")
    schema = foreign if not codes else {"anyOf": [ours, foreign]} if status in _OF_GATEWAY else ours
    headers = {"headers": _HEADERS[status]} if status in _HEADERS and codes else {}
    return {"description": _WHY[status], **headers, "content": {JSON: {"schema": schema}}}


def _refusals(codes: Mapping[str, Sequence[str]], shape: str = "Error") -> dict[str, Schema]:
    return {status: _refusal(status, codes[status], shape) for status in sorted(codes)}


# --- how an operation is written -------------------------------------------------------------------------------------


def _operation(
    name: str,
    summary: str,
    *,
    tag: str,
    answers: Mapping[str, Schema],
    description: str = "",
    takes: Sequence[str] = (),
    body: str = "",
    body_required: bool = True,
    refusals: Mapping[str, Sequence[str]] | None = None,
    refusal_shape: str = "Error",
) -> Operation:
    """`takes` names parameters, `body` a schema; `refusals` are statuses with the codes that they may come with."""
    content = {JSON: {"schema": ref(body)}}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        **({"description": description} if description else {}),
        **({"parameters": [ref(parameter, kind="parameters") for parameter in takes]} if takes else {}),
        **({"requestBody": {"required": body_required, "content": content}} if body else {}),
        "responses": {**answers, **_refusals(refusals or {}, refusal_shape)},
        "security": [] if tag == ITSELF else _ANY_KEY,
    }


def _contract(tag: str, name: str, summary: str, **more: Any) -> Operation:
    return _operation(name, summary, tag=tag, **more | {"refusals": _ALWAYS | more.get("refusals", {})})


def _json(schema: Schema, description: str, **more: Schema) -> dict[str, Schema]:
    return {"200": {"description": description, "content": {JSON: {"schema": schema}}, **more}}


def _redirect(description: str) -> dict[str, Schema]:
    location = {"description": "The link, good for 24 hours.", "required": True, "schema": {"type": "string"}}
    return {"307": {"description": description, "headers": {"Location": location}}}


def _text(description: str, *kinds: str) -> dict[str, Schema]:
    content = {kind: {"schema": {"type": "string"}} for kind in kinds}
    return {"200": {"description": description, "content": content}}


def _web_page(description: str) -> dict[str, Schema]:
    return _text(description, "text/html")


def _page(name: str, summary: str, **more: Any) -> Operation:
    return _operation(name, summary, tag=ITSELF, **more)


def _follow_ups(where: str, **operations: str) -> Schema:
    """Links to operations whose `id` is at `where` in the reply."""
    return {
        operation: {"operationId": operation, "parameters": {"id": f"$response.body#/{where}"}, "description": text}
        for operation, text in operations.items()
    }


# --- the routes ------------------------------------------------------------------------------------------------------


_FIRST_FOLLOW_UPS = _follow_ups(
    "download_id",
    getDownload="The download as it is now.",
    awaitDownload="The download once it has ended.",
    retryDownload="The same once more, should it fail.",
    deleteDownload="Its end.",
)
_SECOND_FOLLOW_UPS = _follow_ups(
    "download_id",
    getFile="Its file, once there is one.",
    cancelDownload="Stop it.",
    removeDownload="Remove it.",
)
_HELD = (
    "Held back until the download has ended, for at most some 20 seconds. `status` is `processing` (ask again), `done` "
    "or `failed`, in errors as well."
)
_TAG = {"ETag": {"description": "For `If-None-Match`.", "required": True, "schema": {"type": "string"}}}
_NO_BODY = {"200": {"description": "Headers as for GET."}}
_UNCHANGED = {"304": {"description": "It is what `If-None-Match` names."}}
_ASSET_TYPES = ("text/javascript", "text/css", "image/svg+xml", "image/png", "text/plain")
_NO_STATUS = "No `status` beside `success`: the SDKs would take that for a reply to an asynchronous request."

OPERATIONS: dict[str, Operation] = {
    "POST /download": _contract(
        FIRST,
        "createDownload",
        "Download what is at an address",
        takes=["IdempotencyKey"],
        body="DownloadRequest",
        answers=_json(ref("Accepted"), "The download is on its way.", links=_FIRST_FOLLOW_UPS),
        refusals=_BODY | _SITE | _OVER_LIMIT | {"422": ["request.key_reused"]},
    ),
    "GET /download": _contract(
        FIRST,
        "listDownloads",
        "All downloads, newest first",
        description="A reply that would become too long leaves out what is not required, and then has fewer downloads "
        "than asked for; `next_token` says where to read on.",
        takes=["Count", "PageIndex", "Status", "NextToken"],
        answers=_json(
            ref("Listing"),
            "One page of them.",
            links={
                "listDownloads": {
                    "operationId": "listDownloads",
                    "parameters": {"next_token": "$response.body#/data/next_token"},
                    "description": "The next page, with the same `status`.",
                }
            },
        ),
        refusals=_INVALID,
    ),
    "GET /updates": _contract(
        FIRST,
        "awaitUpdates",
        "The newest downloads, once they have changed",
        description="For a page that shows them: held back until there is news, for at most `wait` seconds. Of a "
        "download that is not among them any more, `GET /download/{id}` tells what has become of it.",
        takes=["Wait", "IfNoneMatch"],
        answers={**_json(ref("Updates"), "What there is now.", headers=_TAG), **_UNCHANGED},
        refusals=_INVALID,
    ),
    "DELETE /download": _contract(
        FIRST,
        "deleteNamedDownload",
        "Stop a download and remove everything of it",
        description="The id is in the query or in the body.",
        takes=["DownloadId"],
        body="DeletionRequest",
        body_required=False,
        answers=_json(ref("Deleted"), "It is gone."),
        refusals=_BODY | _NO_JOB,
    ),
    "GET /download/{id}": _contract(
        FIRST,
        "getDownload",
        "A download as it is now",
        description=_NO_STATUS,
        takes=["Id"],
        answers=_json(ref("Shown"), "The download."),
        refusals=_NO_JOB,
    ),
    "POST /download/{id}": _contract(
        FIRST,
        "retryDownload",
        "The same download once more",
        description="For one that failed, was cancelled or whose file has expired; it keeps its id and its parameters.",
        takes=["Id"],
        body="RetryRequest",
        body_required=False,
        answers=_json(ref("Accepted"), "The download is on its way again."),
        refusals=_BODY | _NO_JOB | _OVER_LIMIT | {"409": ["job.conflict"]},
    ),
    "DELETE /download/{id}": _contract(
        FIRST,
        "deleteDownload",
        "Stop a download and remove everything of it",
        takes=["Id"],
        answers=_json(ref("Deleted"), "It is gone."),
        refusals=_BODY | _NO_JOB,
    ),
    "GET /async-response/{id}": _contract(
        FIRST,
        "awaitDownload",
        "A download once it has ended",
        description=_HELD,
        takes=["Id"],
        answers=_json(ref("AsyncResponse"), "How it stands."),
        refusals=_NO_JOB,
        refusal_shape="AsyncError",
    ),
    "POST /api/download": _contract(
        SECOND,
        "createOfflineDownload",
        "Download what is at an address",
        takes=["IdempotencyKey"],
        body="OfflineRequest",
        answers=_json(ref("OfflineAccepted"), "The download is on its way.", links=_SECOND_FOLLOW_UPS),
        refusals=_BODY | _SITE | _OVER_LIMIT | {"422": ["request.key_reused"]},
    ),
    "POST /api/info": _contract(
        SECOND,
        "inspectSource",
        "What is at an address, without downloading it",
        body="InfoRequest",
        answers=_json(ref("Info"), "What a download would be of."),
        refusals=_BODY | _SITE | {"422": ["source."]},
    ),
    "GET /api/downloads": _contract(
        SECOND,
        "listOfflineDownloads",
        "The newest downloads",
        takes=["Limit"],
        answers=_json(
            {"type": "array", "items": ref("OfflineDownload")},
            "The downloads, newest first.",
        ),
        refusals=_INVALID,
    ),
    "GET /api/download/{id}/file": _contract(
        SECOND,
        "getFile",
        "The file of a download",
        description="The link names the file in its `Content-Disposition`, and what it is in its `Content-Type`.",
        takes=["Id"],
        answers=_redirect("It is where `Location` says."),
        refusals=_NO_FILE,
    ),
    "GET /api/thumbnails/{id}": _contract(
        SECOND,
        "getThumbnail",
        "The thumbnail of a download, once it is stored",
        takes=["Id"],
        answers=_redirect("It is where `Location` says."),
        refusals=_NO_FILE,
    ),
    "DELETE /api/downloads/{id}": _contract(
        SECOND,
        "cancelDownload",
        "Stop a download",
        description="It stays in the lists as cancelled. One that has ended stays as it is.",
        takes=["Id"],
        answers=_json(ref("Said"), "It is stopped, or had ended."),
        refusals=_NO_JOB,
    ),
    "DELETE /api/downloads/{id}/remove": _contract(
        SECOND,
        "removeDownload",
        "Stop a download and remove everything of it",
        takes=["Id"],
        answers=_json(ref("Said"), "It is gone."),
        refusals=_NO_JOB,
    ),
    "GET /health": _operation(
        "getHealth",
        "Whether the API answers",
        tag=ITSELF,
        answers=_json(ref("Health"), "It does."),
    ),
    "GET /openapi.json": _operation(
        "getDocument",
        "This document",
        tag=ITSELF,
        answers=_json({"type": "object"}, "OpenAPI 3.1."),
    ),
    "GET /docs": _operation(
        "getDocs",
        "This document, to be read and tried by people",
        tag=ITSELF,
        answers=_web_page("A web page."),
    ),
    "GET /docs/{file}": _operation(
        "getDocsFile",
        "What that page consists of",
        tag=ITSELF,
        takes=["File"],
        answers=_text("A script or a style sheet.", "text/javascript", "text/css"),
        refusals={"404": ["route.not_found"]},
    ),
    "GET /": _page("getPage", "The page for people", answers={**_web_page("The page."), **_UNCHANGED}),
    "HEAD /": _page("checkPage", "Whether the page has changed", answers={**_NO_BODY, **_UNCHANGED}),
    "GET /assets/{file}": _page(
        "getAsset",
        "What the page consists of",
        takes=["Asset"],
        answers={**_text("A script, a style sheet, an image or a text.", *_ASSET_TYPES), **_UNCHANGED},
        refusals={"404": ["route.not_found"]},
    ),
    "HEAD /assets/{file}": _page(
        "checkAsset",
        "Whether there is such a part of the page",
        takes=["Asset"],
        answers={**_NO_BODY, **_UNCHANGED, "404": {"description": "There is not."}},
    ),
}
