"""A terminal's screen, as far as the command makes use of one."""

import re

_PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r\n|\r|\n)|([^\x1b\r\n]+)")


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
