"""The page is made of its source, and of nothing else; what is wrong with the source stops the template."""

import re
import shutil
from pathlib import Path

import pytest

from infra import page
from tests.infra.template import Template


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the page's source."""
    copy = tmp_path / "source"
    shutil.copytree(page.SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    return copy


def test_zip_has_the_files_of_the_page_and_neither_its_source_nor_packages(template: Template) -> None:
    asset = template.outdir / ("asset." + template.functions["page"]["Code"]["S3Key"].removesuffix(".zip"))
    found = {path.relative_to(asset / "page").as_posix() for path in asset.rglob("*") if path.is_file()}
    assert {"handler.py", "files/index.html"} <= found
    assert [name for name in found if re.fullmatch(r"files/assets/app\.[A-Z0-9]{8}\.js", name)]
    assert not [name for name in found if "source" in name or "node_modules" in name or name.endswith((".ts", ".tsx"))]


def test_links_may_lead_to_the_bucket_by_the_name_that_has_its_region_in_it(template: Template) -> None:
    given = template.functions["page"]["Environment"]["Variables"]["LINK_ORIGIN"]
    assert template.plain(given) == "https://bucket"
    assert "RegionalDomainName" in str(given)


def test_links_may_lead_to_the_distribution_alone_where_there_is_one(cloudfront_template: Template) -> None:
    given = cloudfront_template.functions["page"]["Environment"]["Variables"]
    domain = cloudfront_template.functions["get_status"]["Environment"]["Variables"]["LINK_DOMAIN"]
    assert given == {"LINK_ORIGIN": {"Fn::Join": ["", ["https://", domain]]}}


def test_page_is_made_once_for_each_state_of_its_source(source: Path, tmp_path: Path) -> None:
    first = page.built(source, kept=tmp_path / "kept")
    made_at = (first / "index.html").stat().st_mtime_ns
    assert page.built(source, kept=tmp_path / "kept") == first
    assert (first / "index.html").stat().st_mtime_ns == made_at
    (source / "src/more.css").write_text("body { color: teal; }\n")
    (source / "src/main.tsx").write_text('import "./more.css";\n')
    second = page.built(source, kept=tmp_path / "kept")
    assert _names(second, ".css") != _names(first, ".css")
    assert _names(second, ".js") != _names(first, ".js")
    assert _names(second, ".svg") == _names(first, ".svg")


def _names(made: Path, suffix: str) -> list[str]:
    return [path.name for path in made.glob(f"assets/*{suffix}")]


def test_same_source_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    first, second = (page.built(source, kept=tmp_path / place) for place in ("here", "there"))
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [name for name in files if (second / name).read_bytes() != (first / name).read_bytes()] == []


def test_source_that_cannot_be_bundled_stops_the_template_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    (source / "src/main.tsx").write_text('import "./nowhere";\n')
    with pytest.raises(page.PageFailed, match="nowhere"):
        page.built(source, kept=tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())


def test_page_that_names_an_asset_that_there_is_not_stops_the_template(source: Path, tmp_path: Path) -> None:
    text = (source / "index.html").read_text()
    (source / "index.html").write_text(text.replace("assets/icon.svg", "assets/other.svg"))
    with pytest.raises(page.PageFailed, match=r"names assets/other\.svg; there are app\.css, app\.js, "):
        page.built(source, kept=tmp_path / "kept")


def test_types_of_the_source_are_sound() -> None:
    page.check_types()


def test_wrong_type_is_found_and_named(source: Path, tmp_path: Path) -> None:
    (source / "src/wrong.ts").write_text('export const count: number = "three";\n')
    with pytest.raises(page.PageFailed, match=r"src/wrong\.ts.*'string' is not assignable to type 'number'"):
        page.check_types(source, kept=tmp_path / "kept")


def test_packages_are_locked_by_hash_and_no_host_is_named() -> None:
    lock = (page.SOURCE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity": "sha512-') == lock.count('"node_modules/') > 10
