"""File names: what file systems take, and what clients make of the header that carries them."""

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from reelhaul.names import clean_title, content_disposition, curl_disposition, safe_name

HARD = "Ünïcode “quotes” / slash 文字.mp4"
TITLES = [
    "clip.mp4",
    HARD,
    "x" * 300 + ".mp4",
    "文" * 300 + ".mp4",
    "Съешь ещё этих мягких французских булок, да выпей же чаю. " * 6 + ".webm",
    "é" + "x" * 299 + ".mp4",
    "tab\there\x00 and \x1b[31mred\u202e reversed\x7f.mp4",
    "..hidden.mp4",
    "-rf.mp4",
    "NUL.mp4",
    "100%41; 50% off, a=b 'c' & $(d) `e` #f?.mp4",
    'say "hi" \\ back | pipe <tag> * : .mp4',
    "👨\u200d👩\u200d👧 family.mp4",
    "dots... and spaces . .mp4",
]


# --- safe names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("clip.mp4", "clip.mp4"),
        (HARD, "Ünïcode “quotes” _ slash 文字.mp4"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a"b\\c:d*e?f<g>h|i.mp4', "a_b_c_d_e_f_g_h_i.mp4"),
        ("tab\tnew\nline\x00nul\x7f.mp4", "tab new line nul .mp4"),
        ("\u202egpj.exe", "gpj.exe"),
        ("...", "download"),
        ("", "download"),
        (" . ", "download"),
        ("\x00", "download"),
        (".bashrc", "bashrc"),
        ("-rf", "_rf"),
        ("trailing. . ", "trailing"),
        ("CON", "_CON"),
        ("nul.mp4", "_nul.mp4"),
        ("com1 .tar.gz", "_com1 .tar.gz"),
        ("LPT³.txt", "_LPT³.txt"),
        ("console.mp4", "console.mp4"),
        ("50% off; 100%25.mp4", "50% off; 100_25.mp4"),
        ("a\ud800b.mp4", "a b.mp4"),
    ],
)
def test_a_safe_name_is_the_name_but_for_what_some_system_refuses(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "文" * 300 + ".mp4", "😬" * 300 + ".mp4"])
def test_a_long_name_is_cut_between_characters_and_keeps_its_extension(name: str) -> None:
    safe = safe_name(name)
    assert 250 <= len(safe.encode()) <= 255
    assert safe.endswith(".mp4")
    assert name.startswith(safe.removesuffix(".mp4"))


def test_what_is_no_extension_is_not_kept() -> None:
    assert safe_name("a. " + "b" * 300) == "a. " + "b" * 252


def test_a_tail_is_kept_whole() -> None:
    tail = "__download-01m8vzqk3w8t4f5g6h7j8k9m0n.mp4"
    for title in ("文" * 300, "short", "Dr. Strange. " + "x" * 300):
        name = safe_name(title, tail=tail)
        assert name.endswith(tail)
        assert len(name.encode()) <= 255
    assert safe_name("short", tail=tail) == "short" + tail
    assert safe_name("", tail=tail) == "download" + tail


def test_a_device_of_windows_is_none_with_a_tail() -> None:
    assert safe_name("CON", tail="__1.mp4") == "CON__1.mp4"


@pytest.mark.parametrize(
    ("title", "clean"),
    [
        ("  a\r\n b\x00", "a b"),
        ("می‌خواهم", "می‌خواهم"),
        ("\u200d", ""),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("safe\u2066\u202e", "safe"),
    ],
)
def test_a_clean_title_is_one_line_that_reads_as_what_it_is(title: str, clean: str) -> None:
    assert clean_title(title) == clean


# --- headers ---------------------------------------------------------------------------------------------------------


def test_an_ascii_name_needs_one_parameter() -> None:
    assert content_disposition("my clip.mp4") == 'attachment; filename="my clip.mp4"'


def test_other_names_are_told_twice_as_rfc_6266_has_it() -> None:
    assert content_disposition("Füße 文.mp4") == (
        "attachment; filename=\"Fu_e _.mp4\"; filename*=UTF-8''F%C3%BC%C3%9Fe%20%E6%96%87.mp4"
    )


@pytest.mark.parametrize("title", TITLES)
def test_a_header_is_ascii_short_and_well_formed(title: str) -> None:
    header = content_disposition(title)
    assert header.isascii()
    assert header.isprintable()
    assert len(header) <= 511
    assert header.count('"') == 2


def test_curl_is_told_the_exact_name_as_it_is() -> None:
    header = curl_disposition(HARD)
    assert header is not None
    assert header.encode("latin-1").startswith('attachment; filename="Ünïcode “quotes” _ slash 文字.mp4";'.encode())
    assert curl_disposition("my clip.mp4") is None


# --- what clients make of it -----------------------------------------------------------------------------------------


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers with the `Content-Disposition` that the path spells in hexadecimal."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Disposition", bytes.fromhex(self.path.lstrip("/")).decode("latin-1"))
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"media")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def saved(command: list[str], header: str, server: str, folder: Path, locale: str = "C.UTF-8") -> list[str]:
    """The names of the files that a client leaves behind."""
    url = f"{server}/{header.encode('latin-1').hex()}"
    environment = os.environ | {"LC_ALL": locale, "no_proxy": "*"}
    subprocess.run([*command, url], cwd=folder, env=environment, check=True, timeout=20, capture_output=True)
    return [path.name for path in folder.iterdir()]


def exact(header: str) -> str:
    """The name as a browser reads it."""
    _, star, encoded = header.partition("filename*=UTF-8''")
    return unquote(encoded) if star else header.partition('"')[2].rstrip('"')


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("title", TITLES)
@pytest.mark.skipif(shutil.which("wget") is None, reason="wget is not installed")
def test_wget_saves_the_file_under_the_name_that_browsers_read(
    title: str, locale: str, server: str, tmp_path: Path
) -> None:
    header = content_disposition(title)
    assert saved(["wget", "--content-disposition"], header, server, tmp_path, locale) == [exact(header)]


@pytest.mark.skipif(shutil.which("wget") is None, reason="wget is not installed")
def test_wget_understands_apostrophes_and_semicolons_beside_letters_beyond_ascii(server: str, tmp_path: Path) -> None:
    """In a UTF-8 locale. In others it unescapes a header before it takes it apart, and loses a part of it."""
    title = "L'été; c'est fini.mp4"
    assert saved(["wget", "--content-disposition"], content_disposition(title), server, tmp_path) == [title]


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_saves_the_file_under_the_same_name(title: str, server: str, tmp_path: Path) -> None:
    header = curl_disposition(title) or content_disposition(title)
    assert saved(["curl", "-sSLOJ"], header, server, tmp_path) == [exact(content_disposition(title))]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_makes_do_with_the_header_for_all_others(server: str, tmp_path: Path) -> None:
    assert saved(["curl", "-sSLOJ"], content_disposition(HARD), server, tmp_path) == ["Unicode _quotes_ _ slash __.mp4"]


@pytest.mark.parametrize("title", TITLES)
def test_the_name_is_the_safe_name_as_far_as_it_fits(title: str) -> None:
    name, safe = exact(content_disposition(title)), safe_name(title)
    stem, extension = Path(name).stem, Path(name).suffix
    assert len(name.encode()) <= 235
    assert name.isascii() or len(quote(name, safe="")) <= 430
    assert safe.startswith(stem)
    assert safe.endswith(extension)
