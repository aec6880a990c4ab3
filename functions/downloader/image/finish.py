"""The last step of the build: compile our own code, and check and settle the image.

    python -B -m downloader.image.finish LAYER

copies it to LAYER in the end, for a layer that has nothing from this step beside it. (-B: what
is imported for the checks must not get the bytecode that one of them looks for.)
"""

import compileall
import py_compile
import shutil
import sys
from pathlib import Path

from downloader.image import check
from downloader.image.settle import settle

TASK = Path("/var/task")
_FOR_THE_BUILD = ("Dockerfile", "requirements.txt", "image")


def main(layer: Path) -> None:
    """Raises `SystemExit`, with what is wrong, when the image is not what it should be."""
    requirements = (TASK / "downloader/requirements.txt").read_text()
    for name in _FOR_THE_BUILD:
        path = TASK / "downloader" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(TASK, quiet=1, workers=1, force=True, invalidation_mode=mode):
        raise SystemExit("not all of our own code compiles, see above")
    check.everything(requirements)
    shutil.copytree(TASK, layer / TASK.relative_to("/"))
    settle(layer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
