"""The charts of a report as files, for a paper or a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pytest_throughput.report.charts.chart import Section

__all__ = ["FiguresError", "write_charts"]


class FiguresError(Exception):
    """The charts cannot be made here. The message says why, and how to mend it."""


def write_charts(sections: Sequence[Section], folder: Path, kind: Literal["svg", "png"]) -> list[Path]:
    """Write every chart to ``SECTION-NUMBER.svg`` or ``.png`` in the folder, which is made if needed; return the files.

    Raise FiguresError where PNG cannot be made, and OSError where a file cannot be written.
    """
    raise NotImplementedError
