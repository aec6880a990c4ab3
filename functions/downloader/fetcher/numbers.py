"""Numbers as sources and yt-dlp give them: anything may come, and only some of it fits what the parent takes."""


def number(value: object) -> float | None:
    """`value` if it is a number of at least 0 that JSON can say exactly, else None: NaN is not less than anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < 2**53 else None


def whole(value: object) -> int | None:
    """The same, rounded."""
    found = number(value)
    return None if found is None else round(found)
