"""Every relative link of the documentation leads to a file, every anchor to a heading, and paths are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))
    broken = []
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "gate.md"], ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    paths = re.findall(r"`((?:bench|fixtures|plugins|tests)/[\w./-]+\.\w+)`", page.read_text())
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_every_path_in_contributing_exists() -> None:
    """A path is one of the checkout or of the plugin's package; a folder whose name begins with a dot is built."""
    text = without_code((ROOT / "CONTRIBUTING.md").read_text())
    paths = re.findall(r"`(\w[\w./-]*(?:\.py|/))`", text)
    assert len(paths) > 50
    places = (ROOT, ROOT / "plugins/pytest_throughput")
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []
