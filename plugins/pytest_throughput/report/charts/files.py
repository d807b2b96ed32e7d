"""The charts of a report as files, for a paper or a pull request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pytest_throughput.report.charts.chart import Section
from pytest_throughput.report.charts.stylesheet import FONT_FAMILIES
from pytest_throughput.report.charts.svg import standalone_svg
from pytest_throughput.whole_file import replace_file

__all__ = ["FiguresError", "write_charts"]

_ZOOM = 2
"""Pixels of a PNG for each unit of the SVG, as on a screen of high density."""


class FiguresError(Exception):
    """The charts cannot be made here. The message says why, and how to mend it."""


def write_charts(sections: Sequence[Section], folder: Path, kind: Literal["svg", "png"]) -> list[Path]:
    """Write every chart to ``SECTION-NUMBER.svg`` or ``.png`` in the folder, which is made if needed; return the files.

    Raise FiguresError where PNG cannot be made, and OSError where a file cannot be written.
    """
    content_of = _rasteriser() if kind == "png" else str.encode
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for section in sections:
        for number, chart in enumerate(section.charts, start=1):
            path = folder / f"{section.identifier}-{number}.{kind}"
            replace_file(path, content_of(standalone_svg(chart)))
            files.append(path)
    return files


def _rasteriser() -> Callable[[str], bytes]:
    """Return a function that makes a PNG of an SVG. Raise FiguresError if it could not, or not with texts."""
    try:
        import resvg_py
    except ImportError as error:
        raise FiguresError(
            f"--png: resvg_py cannot be imported ({error}); pip install 'pytest-throughput[figures]' brings it. "
            "--svg DIR writes the same charts without it"
        ) from None

    def png_of(svg: str) -> bytes:
        return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=_ZOOM))

    # Where there is no font, resvg leaves texts out and says nothing.
    letter = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
    if png_of(letter.format(f'<text y="15" font-family="{FONT_FAMILIES}">M</text>')) == png_of(letter.format("")):
        raise FiguresError(
            "--png: there is no font for the texts; install one of Arial, Helvetica, Liberation Sans, DejaVu Sans or "
            "Noto Sans (Debian: fonts-dejavu-core). --svg DIR writes the same charts without it"
        )
    return png_of
