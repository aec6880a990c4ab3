"""The page's files, from the function as it is deployed, and what its browser is told that it may do."""

import gzip
import re
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from infra import npm
from tests.integration.conftest import LINK_ORIGIN, Docs

_UNPACK = "process.stdout.write(require('node:zlib').brotliDecompressSync(require('node:fs').readFileSync(0)))"


def content(reply: dict[str, Any]) -> bytes:
    assert reply["isBase64Encoded"] is True
    return b64decode(reply["body"])


def assets(page: Docs) -> list[str]:
    """Those that the page names."""
    return re.findall(r'"(assets/[^"]+)"', content(page("GET", "/")).decode())


def asset(page: Docs, suffix: str) -> str:
    (found,) = (f"/{name}" for name in assets(page) if name.endswith(suffix))
    return found


def policy(page: Docs) -> dict[str, str]:
    said = page("GET", "/")["headers"]["Content-Security-Policy"]
    return dict(directive.split(" ", 1) for directive in said.split("; "))


def test_all_that_the_page_names_is_there_with_its_type(page: Docs) -> None:
    types = {name: page("GET", f"/{name}")["headers"]["Content-Type"] for name in assets(page)}
    assert {Path(name).suffix: kind for name, kind in types.items()} == {
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
    }


def test_page_has_no_code_and_no_style_in_it_and_names_nothing_elsewhere(page: Docs) -> None:
    text = content(page("GET", "/")).decode()
    assert page("GET", "/")["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert "//" not in text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", text)


def test_browser_runs_and_loads_nothing_but_what_is_ours(page: Docs) -> None:
    said = policy(page)
    assert said.pop("require-trusted-types-for") == "'script'"
    assert {name for name, sources in said.items() if sources == "'none'"} == {
        "default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types",
    }  # fmt: skip
    assert {name for name, sources in said.items() if sources == "'self'"} == {"script-src", "style-src", "connect-src"}
    assert said["img-src"] == said["media-src"] == f"'self' {LINK_ORIGIN}"
    assert len(said) == 10


def test_page_tells_no_other_site_about_itself_and_asks_for_no_device(page: Docs) -> None:
    headers = page("GET", "/")["headers"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (headers["Cross-Origin-Opener-Policy"], headers["Cross-Origin-Resource-Policy"]) == ("same-origin",) * 2
    assert {"camera=()", "microphone=()", "geolocation=()"} <= set(headers["Permissions-Policy"].split(", "))


def test_page_is_asked_for_each_time_and_its_parts_are_kept_for_good(page: Docs) -> None:
    assert page("GET", "/")["headers"]["Cache-Control"] == "no-cache"
    for name in assets(page):
        assert page("GET", f"/{name}")["headers"]["Cache-Control"] == "public, max-age=31536000, immutable"
        assert re.fullmatch(r"assets/[a-z]+\.[A-Za-z0-9]{8}\.[a-z]+", name)


@pytest.mark.parametrize("suffix", ["", ".js"])
def test_what_a_browser_has_already_is_not_sent_again(page: Docs, suffix: str) -> None:
    path = asset(page, suffix) if suffix else "/"
    tag = page("GET", path)["headers"]["ETag"]
    for sent in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        reply = page("GET", path, headers={"if-none-match": sent})
        assert (reply["statusCode"], reply["headers"]["ETag"]) == (304, tag)
        assert reply["body"] == ""
        assert "Content-Type" not in reply["headers"]
    assert page("GET", path, headers={"if-none-match": '"another"'})["statusCode"] == 200


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip;q=1", "br"),
        ("GZIP", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000, gzip;q=0", None),
        ("deflate", None),
        ("", None),
    ],
)
def test_files_come_in_the_best_form_that_is_taken(page: Docs, accepted: str, encoding: str | None) -> None:
    path = asset(page, ".js")
    plain, reply = page("GET", path), page("GET", path, headers={"accept-encoding": accepted})
    assert reply["headers"].get("Content-Encoding") == encoding
    assert reply["headers"]["Vary"] == "Accept-Encoding"
    unpacked = {"br": _from_brotli, "gzip": gzip.decompress, None: bytes}[encoding](content(reply))
    assert unpacked == content(plain)
    if encoding is not None:
        assert len(content(reply)) < len(unpacked) / 2
        assert reply["headers"]["ETag"] != plain["headers"]["ETag"]


def _from_brotli(packed: bytes) -> bytes:
    node = str(npm.node_directory() / "node")
    return subprocess.run([node, "--eval", _UNPACK], input=packed, capture_output=True, check=True).stdout


@pytest.mark.parametrize("suffix", ["", ".css"])
def test_question_for_headers_alone_is_answered_as_the_file_is_without_it(page: Docs, suffix: str) -> None:
    path = asset(page, suffix) if suffix else "/"
    whole, head = page("GET", path), page("HEAD", path)
    assert (head["statusCode"], head["headers"]) == (200, whole["headers"])
    assert head["body"] == ""


@pytest.mark.parametrize(
    "path",
    ["/assets/nothing.js", "/assets/app.js", "/assets/index.html", "/assets/..%2Findex.html", "/assets/../handler.py",
     "/assets/app.js.br", "/assets/%00", "/assets/", "/index.html", "/handler.py"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_else_can_be_read(page: Docs, method: str, path: str) -> None:
    reply = page(method, path)
    assert reply["statusCode"] == 404
    assert '"code":"route.not_found"' in reply["body"]
    assert reply["headers"]["Cache-Control"] == "no-store"


def test_compressed_forms_are_no_files_of_their_own(page: Docs) -> None:
    assert page("GET", f"{asset(page, '.js')}.br")["statusCode"] == 404


def test_licences_of_what_is_in_the_bundle_are_handed_on(page: Docs) -> None:
    text = content(page("GET", asset(page, ".txt"))).decode()
    assert text.startswith("preact\n") or "\npreact\n" in text
    assert "Permission is hereby granted" in text
