"""Charts as SVG: inside a page, whose theme they follow, and as files of their own."""

from __future__ import annotations

from pytest_throughput.report.charts.chart import Chart

__all__ = ["standalone_svg", "svg_of"]


def svg_of(chart: Chart, identifier: str) -> str:
    """Return the chart as an ``<svg class="chart" role="img">`` for a page that has ``stylesheet()``.

    ``identifier`` is unique in the page. Title and panel are not drawn but only named for screen readers: the page
    shows them as the caption. On a screen narrower than 512 px the chart keeps that width, so that its texts stay
    legible: its parent must scroll (``overflow-x: auto``, ``tabindex="0"``).
    """
    raise NotImplementedError


def standalone_svg(chart: Chart) -> str:
    """Return the chart as a document with its title, on white, in colours that need no page."""
    raise NotImplementedError
