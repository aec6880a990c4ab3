"""The README's pictures of the command, taken of a real terminal and a real service: part of `make pictures`."""

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from infra.local.media import make_mp4
from tests.e2e.command.running import Command
from tests.e2e.running import ROOT, serve, until
from tests.media import SourceServer

FOLDER = ROOT / ".github" / "pictures"
_WIDTH = 120
_PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r\n|\r|\n)|([^\x1b\r\n]+)")
_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)  # which a viewer would fetch from elsewhere


def screen(raw: str) -> str:
    """What `raw` leaves on a terminal, with its colours: lines are written, erased, and written anew."""
    lines, row = [""], 0
    for match in _PIECE.finditer(raw):
        count, order, end, text = match.groups()
        if end:
            row += "\n" in end
            lines += [""] * (row + 1 - len(lines))
        elif order == "A":
            row = max(0, row - int(count or 1))
        elif order == "K":
            lines[row] = ""
        else:
            lines[row] += text or (match[0] if order == "m" else "")
    return "\n".join(lines).rstrip()


def save(name: str, title: str, raw: str) -> None:
    """Write the picture of a terminal that has shown `raw`."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(screen(raw)))
    FOLDER.mkdir(exist_ok=True)
    svg = _FONTS.sub("", console.export_svg(title=title, unique_id=name))
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number, film in enumerate(("the-harbour-at-dawn", "talks-about-maps", "how-a-lock-works")):
            make_mp4(directory / "media" / f"{film}.mp4", duration_s=4, tone_hz=300 + 90 * number)
        (directory / "here").mkdir()
        with (
            SourceServer(directory / "media") as source,
            serve(directory / "data", "--allow-origin", source.origin) as service,
        ):
            command = Command(service.url, directory / "here")
            _get(command, source)
            _doctor(command, source)


def _get(command: Command, source: SourceServer) -> None:
    """Three films: one is here already, the others are on their way at speeds of their own."""
    paths = ["the-harbour-at-dawn.mp4", "slow/talks-about-maps.mp4?rate=60000"]
    urls = [source.url(path) for path in [*paths, "slow/how-a-lock-works.mp4?rate=30000", "status/404"]]
    with command.in_terminal("get", *urls) as terminal:
        until(lambda: screen(terminal.raw), _is_telling, within_s=120)
        save("terminal-get", "reelhaul get URL URL URL URL", terminal.raw)
        terminal.press("\x03")
        terminal.shows("[y/N]")
        terminal.press("y\n")
        terminal.ended()


def _is_telling(shown: str) -> bool:
    """Two bars, of which one has come some way, and a line for each of the others."""
    percent = [int(each) for each in re.findall(r"(\d+)%", shown)]
    return "saved" in shown and "failed" in shown and len(percent) == 2 and max(percent) > 50


def _doctor(command: Command, source: SourceServer) -> None:
    url = source.url("status/401")  # so that there is something to advise
    with command.in_terminal("doctor", "--source", url, "--local", command.url) as terminal:
        terminal.ended()
    save("terminal-doctor", "reelhaul doctor --source URL --local", terminal.raw)


if __name__ == "__main__":
    main()
