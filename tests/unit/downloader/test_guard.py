"""The fetcher's walls and wrappers, from within."""

import errno
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from downloader import child
from downloader.fetcher import programs
from tests.media import SourceServer

pytestmark = pytest.mark.usefixtures("programs_known")


def behind_the_guard(code: str, tmp_path: Path, *, port: int = 1, max_file_bytes: int = 10**6) -> str:
    """Run `code` in a guarded process; what it prints."""
    prelude = f"""
        import multiprocessing, os, socket, subprocess, sys
        from downloader.fetcher import guard
        guard.engage(proxy=("127.0.0.1", {port}), max_file_bytes={max_file_bytes}, max_memory_bytes=2 * 1024**3)
    """
    program = textwrap.dedent(prelude) + textwrap.dedent(code)
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=tmp_path, env=child.environment(tmp_path)
    )
    return done.stdout.strip()


def test_nothing_but_the_proxy_can_be_connected(source: SourceServer, canary: SourceServer, tmp_path: Path) -> None:
    code = f"""
        socket.create_connection(("127.0.0.1", {source.server_address[1]})).close()
        for connect in (
            lambda: socket.create_connection(("127.0.0.1", {canary.server_address[1]})),
            lambda: socket.create_connection(("localhost", {canary.server_address[1]})),
            lambda: socket.socket().connect_ex(("127.0.0.1", {canary.server_address[1]})),
            lambda: socket.socket(socket.AF_UNIX).connect("/tmp/docker.sock"),
            lambda: socket.getaddrinfo("example.com", 80),
            lambda: socket.gethostbyname("example.com"),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53)),
            lambda: socket.socket().bind(("127.0.0.1", 0)),
        ):
            try:
                connect()
                print("connected")
            except guard.Denied:
                print("denied")
    """
    assert behind_the_guard(code, tmp_path, port=source.server_address[1]).split() == ["denied"] * 8


def test_no_program_but_the_wrappers_can_be_started(tmp_path: Path) -> None:
    code = """
        print(subprocess.run([str(guard.BIN / "ffprobe"), "-version"], capture_output=True).returncode)
        for start in (
            lambda: subprocess.run(["/bin/sh", "-c", "true"]),
            lambda: subprocess.run("true", shell=True),
            lambda: subprocess.run(["ffmpeg"]),
            lambda: subprocess.run([os.environ["REELHAUL_FFMPEG"]]),
            lambda: os.system("true"),
            lambda: os.execv("/bin/true", ["true"]),
            lambda: os.posix_spawn("/bin/true", ["true"], {}),
            lambda: os.fork(),
            lambda: multiprocessing.get_context("spawn").Process(target=print).start(),
            lambda: multiprocessing.get_context("forkserver").Process(target=print).start(),
            lambda: multiprocessing.get_context("fork").Process(target=print).start(),
        ):
            try:
                start()
                print("started")
            except guard.Denied:
                print("denied")
    """
    assert behind_the_guard(code, tmp_path).split() == ["0"] + ["denied"] * 11


def test_file_cannot_outgrow_its_limit(tmp_path: Path) -> None:
    code = """
        try:
            with open("big", "wb", buffering=0) as file:
                while file.write(bytes(400_000)): pass
        except OSError as error:
            print(error.errno, os.path.getsize("big"))
    """
    assert behind_the_guard(code, tmp_path).split() == [str(errno.EFBIG), "1000000"]


def test_memory_is_bounded(tmp_path: Path) -> None:
    code = """
        try:
            bytearray(3 * 1024**3)
        except MemoryError:
            print("refused")
    """
    assert behind_the_guard(code, tmp_path) == "refused"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not bounded")
def test_last_words_have_room_where_memory_has_run_out(tmp_path: Path) -> None:
    code = """
        kept = []
        try:
            while True: kept.append(bytearray(2**24))
        except MemoryError:
            guard.make_room()
            print(len(bytearray(guard.LAST_WORDS_BYTES // 2)))
    """
    assert behind_the_guard(code, tmp_path) == str(32 * 1024**2)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_process_gains_no_rights_and_cannot_be_looked_into(tmp_path: Path) -> None:
    code = """
        import ctypes, resource
        prctl = ctypes.CDLL(None).prctl
        print(prctl(39, 0, 0, 0, 0), prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
    """
    assert behind_the_guard(code, tmp_path) == "1 0 (0, 0)"


def test_deno_starts_although_memory_is_bounded(tmp_path: Path) -> None:
    code = """
        command = [str(guard.BIN / "deno"), "eval", "console.log(6 * 7)"]
        print(subprocess.run(command, capture_output=True, text=True).stdout)
    """
    assert behind_the_guard(code, tmp_path) == "42"


def test_fetcher_imports_nothing_that_holds_credentials(tmp_path: Path) -> None:
    code = """
        from downloader.fetcher import failures, job
        banned = {"boto3", "botocore", "aws_lambda_powertools", "pydantic", "reelhaul.egress", "reelhaul.store"}
        print(sorted(banned & set(sys.modules)), "yt_dlp" in sys.modules)
    """
    assert behind_the_guard(code, tmp_path) == "[] True"


def test_parent_does_not_import_yt_dlp(tmp_path: Path) -> None:
    code = "import sys; from downloader import fetch; print('yt_dlp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=child.environment(tmp_path)
    )
    assert done.stdout.strip() == "False"


# --- the wrappers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["list.mp4", "playlist.mp4", "dash/manifest.mpd", "hls/180.m3u8"])
def test_list_of_other_files_is_not_opened(media: Path, name: str) -> None:
    probed_list = programs.run("ffprobe", str(media / name), timeout_s=20)
    read = programs.run("ffmpeg", "-i", str(media / name), "-f", "null", "-", timeout_s=20)
    forced = programs.run(
        "ffmpeg", "-f", "concat", "-safe", "0", "-i", str(media / name), "-f", "null", "-", timeout_s=20
    )
    assert [probed_list.returncode == 0, read.returncode == 0, forced.returncode == 0] == [False] * 3


def test_only_files_are_opened(source: SourceServer) -> None:
    assert programs.run("ffprobe", source.url("clip.mp4"), timeout_s=20).returncode != 0
    assert programs.run("ffmpeg", "-i", source.url("clip.mp4"), "-f", "null", "-", timeout_s=20).returncode != 0
    assert source.connections == 0


def test_every_input_is_guarded_and_arguments_stay_whole(media: Path, tmp_path: Path) -> None:
    odd = tmp_path / "it's a *.mp4"
    odd.write_bytes((media / "clip.mp4").read_bytes())
    inputs = ["-i", str(media / "clip.mp4"), "-i", str(media / "list.mp4")]
    assert programs.run("ffmpeg", *inputs, "-f", "null", "-", timeout_s=20).returncode != 0
    assert programs.run("ffmpeg", "-i", str(odd), "-f", "null", "-", timeout_s=20).returncode == 0
