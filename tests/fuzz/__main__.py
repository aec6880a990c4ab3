"""`python -m tests.fuzz SECONDS [TARGET...]`: atheris on each target for so long. Ends with 1 if one has failed.

Inputs that were of use are kept in `.hypothesis/atheris/TARGET` and begun with the next time; one that fails is written
beside them as `crash-...`.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_KEPT = ROOT / ".hypothesis/atheris"
_LONGEST_INPUT = 4096
_BEGIN_WITH = [
    json.dumps({"url": "https://media.example/a.mp4", "name": "a", "clip": {"start": 1}, "subtitles": ["en"]}),
    json.dumps({"stream_link": "http://[::1]:80/", "callback_url": "https://hook.example/", "retention_days": 3}),
    "count=5&page_index=1&status=done", "next_token=AAAA", "limit=3", "download_id=download-01k0000000zzzzzzzzzzzzzzzz",
    "https://media.example:8080/a?b=c#d", "Bearer sk-0123456789", "application/json; charset=utf-8",
]  # fmt: skip


def main() -> None:
    sys.path.insert(0, str(ROOT / "functions"))
    if sys.argv[1] == "--one":
        _fuzz(sys.argv[2], *sys.argv[3:])
        return
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - atheris has to see it imported, in the other process

    seconds, named = int(sys.argv[1]), sys.argv[2:] or list(TARGETS)
    failed = [name for name in named if _run(name, seconds) != 0]
    print(f"{len(named)} targets, {seconds} s each; failed: {', '.join(failed) or 'none'}")  # noqa: T201 - that is its use
    sys.exit(bool(failed))


def _run(name: str, seconds: int) -> int:
    """In a process of its own: libFuzzer ends the one that it runs in."""
    folder = _KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(_BEGIN_WITH):
        (folder / f"begin-{number}").write_text(text)
    limits = [f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}", f"-artifact_prefix={folder}/"]
    command = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--one",
        name,
        str(folder),
        "-timeout=20",
        "-print_final_stats=1",
        *limits,
    ]
    run = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    tried = re.search(r"number_of_executed_units: (\d+)", run.stdout)
    if run.returncode != 0 or tried is None:
        print(run.stdout)  # noqa: T201 - the same
        return 1
    print(f"{name}: {tried.group(1)} inputs")  # noqa: T201 - the same
    return 0


def _fuzz(name: str, *arguments: str) -> None:
    import atheris  # noqa: PLC0415 - `make fuzz` installs it where there is a wheel

    with atheris.instrument_imports(include=["reelhaul", "authorizer"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - watched from its import on
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
