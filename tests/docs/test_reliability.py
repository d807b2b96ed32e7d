"""docs/reliability.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_throughput.options.settings import OPTIONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/reliability.md").read_text()


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 50
    assert named - defined == set()


def test_every_file_and_option_that_is_named_exists() -> None:
    for path in re.findall(r"`((?:tests|benchmarks|plugins)/[\w/]+\.py)`", TEXT):
        assert (ROOT / path).is_file(), path
    options = {option.name for option in OPTIONS}
    assert set(re.findall(r"--throughput-([a-z-]+)", TEXT)) - options == set()
