"""File names as HTTP carries them."""

import pytest

from reelhaul.names import content_disposition


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("clip.mp4", 'attachment; filename="clip.mp4"'),
        ("my clip.mp4", 'attachment; filename="my clip.mp4"'),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ('a"b\\c.mp4', 'attachment; filename="a_b_c.mp4"'),
        ("Füße.mp4", "attachment; filename=\"F__e.mp4\"; filename*=UTF-8''F%C3%BC%C3%9Fe.mp4"),
        ("...", 'attachment; filename="download"'),
        ("", 'attachment; filename="download"'),
    ],
)
def test_names_survive_every_client(filename: str, header: str) -> None:
    assert content_disposition(filename) == header


def test_a_long_name_keeps_its_extension_and_fits_a_file_system() -> None:
    header = content_disposition("名" * 300 + ".mp4")
    assert header.endswith(".mp4")
    encoded = header.partition("filename*=UTF-8''")[2]
    assert encoded.count("%") <= 255
    assert header.isascii()
