import os
import stat
from pathlib import Path

from downloader.image.settle import settle


def _made(directory: Path, *, umask: int, at: int) -> list[tuple[str, int, float]]:
    """What is left to see of a tree that was made with `umask` at the time `at` and then settled."""
    before = os.umask(umask)
    try:
        (directory / "bin").mkdir(parents=True)
        (directory / "bin" / "program").write_text("#!/bin/sh\n")
        (directory / "bin" / "program").chmod(0o777 & ~umask)
        (directory / "module.py").write_text("")
        (directory / "link").symlink_to("module.py")
        (directory / "tmp").mkdir()
        (directory / "tmp").chmod(0o1777)
    finally:
        os.umask(before)
    for path in directory.rglob("*"):
        os.utime(path, (at, at), follow_symlinks=False)
    settle(directory)
    found = [directory, *sorted(directory.rglob("*"))]
    return [(path.relative_to(directory).as_posix(), path.lstat().st_mode, path.lstat().st_mtime) for path in found]


def test_tree_is_the_same_whenever_and_however_it_was_made(tmp_path: Path) -> None:
    one = _made(tmp_path / "one", umask=0o022, at=1_000_000_000)
    other = _made(tmp_path / "other", umask=0o077, at=1_700_000_000)
    assert one == other
    assert {time for _, _, time in one} == {0.0}


def test_everybody_may_read_and_run_and_nobody_but_its_owner_may_write(tmp_path: Path) -> None:
    modes = {name: stat.S_IMODE(mode) for name, mode, _ in _made(tmp_path / "tree", umask=0o002, at=0)}
    assert modes["."] == modes["bin"] == modes["bin/program"] == 0o755
    assert modes["module.py"] == 0o644
    assert modes["tmp"] == 0o1777
