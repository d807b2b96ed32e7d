"""The CSS of charts: with the colours of both themes for pages, with literal colours for files."""

from __future__ import annotations

import re

from pytest_throughput.report.charts.lettering import SIZE
from pytest_throughput.report.charts.styles import COLOURS, DASHES, INKS

__all__ = ["FONT_FAMILIES", "NARROWEST", "TITLE_SIZE", "literal_stylesheet", "stylesheet"]

FONT_FAMILIES = "Arial,Helvetica,Liberation Sans,DejaVu Sans,Noto Sans,sans-serif"
"""The fonts of a chart that is a file of its own; on a page, it has the font of the page."""
NARROWEST, WIDEST = 458, 620
"""The least width of a chart on a page, at which its texts have 11 px, and the greatest."""
TITLE_SIZE = 16
"""The size of the title of a chart that is a file of its own."""

_RULES = f"""\
.chart{{display:block;width:100%;min-width:{NARROWEST}px;max-width:{WIDEST}px;height:auto}}
.chart text{{font-size:{SIZE}px;fill:var(--chart-ink);stroke:none}}
.chart .c-muted text{{fill:var(--chart-muted);font-variant-numeric:tabular-nums}}
.chart .c-end{{text-anchor:end}}
.chart .c-middle{{text-anchor:middle}}
.chart .c-above text{{paint-order:stroke;stroke:var(--chart-paper);stroke-width:4px;stroke-linejoin:round}}
.chart .c-grid{{fill:none;stroke:var(--chart-grid)}}
.chart .c-axis{{fill:none;stroke:var(--chart-axis)}}
.chart .c-line{{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}}
.chart .c-error{{fill:none;stroke:currentColor;stroke-width:1.3}}
.chart .c-leader{{fill:none;stroke:currentColor;stroke-dasharray:1 3}}
.chart .c-limit{{fill:none;stroke:currentColor;stroke-width:1.5;stroke-dasharray:1.5 3.5}}
.chart .c-mark{{fill:currentColor;stroke:var(--chart-paper);stroke-width:.8}}
.chart .c-open{{fill:var(--chart-paper);stroke:currentColor;stroke-width:1.7}}
.chart .c-dot{{fill:currentColor;fill-opacity:.3;stroke:currentColor}}
.chart .c-bar{{fill:currentColor}}
.chart .c-part{{stroke:var(--chart-paper)}}
.chart .c-hatch{{fill:none;stroke:var(--chart-paper);stroke-width:1.1;stroke-opacity:.8}}
.chart .c-halo{{fill:none;stroke:var(--chart-paper);stroke-width:4}}
.chart .c-whisker{{fill:none;stroke:var(--chart-ink);stroke-width:1.4}}
"""
_DASHED = "".join(f".chart .v{n} .c-line{{stroke-dasharray:{dash}}}\n" for n, dash in enumerate(DASHES) if dash)
_COLOURED = "".join(f".chart .c{number}{{color:var(--chart-{number})}}\n" for number in range(len(COLOURS)))
_VALUES = {**INKS, **{str(number): colours for number, colours in enumerate(COLOURS)}}
_FILE_RULES = f"""\
.chart{{min-width:0;max-width:none;width:auto;font-family:{FONT_FAMILIES}}}
.chart .c-title text{{font-size:{TITLE_SIZE}px;font-weight:bold}}
.chart .c-paper{{fill:var(--chart-paper)}}
"""


def stylesheet() -> str:
    """Return the CSS that a page with charts needs.

    It follows the CSS property ``color-scheme`` of the page (``light``, ``dark`` or ``light dark``), with CSS'
    ``light-dark()``; browsers without it show the light colours. A page whose background is neither ``LIGHT_PAPER``
    nor ``DARK_PAPER`` of ``styles`` sets ``--chart-paper`` after it.
    """
    light = "".join(f"--chart-{name}:{colours[0]};" for name, colours in _VALUES.items())
    both = "".join(f"--chart-{name}:light-dark({','.join(colours)});" for name, colours in _VALUES.items())
    variables = f":root{{{light}}}\n@supports (color:light-dark(#000,#fff)){{:root{{{both}}}}}\n"
    return variables + _RULES + _DASHED + _COLOURED


def literal_stylesheet() -> str:
    """Return the CSS of a file of its own, in the light colours and without variables."""
    return re.sub(
        r"var\(--chart-(\w+)\)", lambda found: _VALUES[found[1]][0], _RULES + _DASHED + _COLOURED + _FILE_RULES
    )
