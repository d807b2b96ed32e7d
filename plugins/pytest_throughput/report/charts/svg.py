"""Charts as SVG: inside a page, whose theme they follow, and as files of their own."""

from __future__ import annotations

from html import escape

from pytest_throughput.report.charts.bar_drawing import bar_drawing
from pytest_throughput.report.charts.chart import BarChart, Chart, LineChart
from pytest_throughput.report.charts.description import description_of
from pytest_throughput.report.charts.dot_drawing import dot_drawing
from pytest_throughput.report.charts.drawing import WIDTH, Drawing, group, px, text
from pytest_throughput.report.charts.lettering import clean, wrapped
from pytest_throughput.report.charts.line_drawing import line_drawing
from pytest_throughput.report.charts.stylesheet import TITLE_SIZE, literal_stylesheet

__all__ = ["standalone_svg", "svg_of"]

_MARGIN = 16
"""The white space around a chart that is a file of its own."""


def svg_of(chart: Chart, identifier: str) -> str:
    """Return the chart as an ``<svg class="chart" role="img">`` for a page that has ``stylesheet()``.

    ``identifier`` is unique in the page. Title and panel are not drawn but only named for screen readers: the page
    shows them as the caption. On a screen narrower than 458 px the chart keeps that width, so that its texts stay
    legible: its parent must scroll (``overflow-x: auto``, ``tabindex="0"``).
    """
    identifier = escape(identifier)
    drawing = _drawing(chart, identifier)
    return f'<svg viewBox="0 0 {WIDTH} {px(drawing.height)}" {_named(chart, identifier)}{drawing.elements}</svg>'


def standalone_svg(chart: Chart) -> str:
    """Return the chart as a document with its title, on white, in colours that need no page."""
    drawing = _drawing(chart, "chart")
    lines = wrapped(chart.title, WIDTH, TITLE_SIZE, most_lines=3)
    title = group("c-title", [text(0, TITLE_SIZE + 21 * n, line, WIDTH) for n, line in enumerate(lines)])
    panel_y = TITLE_SIZE + 21 * len(lines)
    panel = group("c-muted", [text(0, panel_y, chart.panel, WIDTH)])
    elements = f'{title}{panel}<g transform="translate(0 {panel_y + 14})">{drawing.elements}</g>'
    width, height = WIDTH + 2 * _MARGIN, px(panel_y + 14 + drawing.height + 2 * _MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" {_named(chart, "chart")}<style>{literal_stylesheet()}</style>'
        f'<rect class="c-paper" width="{width}" height="{height}"/>'
        f'<g transform="translate({_MARGIN} {_MARGIN})">{elements}</g></svg>\n'
    )


def _named(chart: Chart, identifier: str) -> str:
    """Return the rest of the start tag, and the elements with the name and the description of the image."""
    name = escape(", ".join(part for part in (clean(chart.title), clean(chart.panel)) if part))
    return (
        f'class="chart" role="img" aria-labelledby="{identifier}-t" aria-describedby="{identifier}-d">'
        f'<title id="{identifier}-t">{name}</title>'
        f'<desc id="{identifier}-d">{escape(description_of(chart))}</desc>'
    )


def _drawing(chart: Chart, identifier: str) -> Drawing:
    if isinstance(chart, LineChart):
        return line_drawing(chart)
    return bar_drawing(chart, identifier) if isinstance(chart, BarChart) else dot_drawing(chart)
