"""Whatever the data: the SVG is XML, everything is inside of it, and coordinates keep the order of the values."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st
from svg_geometry import parsed, shapes, texts

from pytest_throughput.report.charts.chart import (
    Axis,
    Bar,
    BarChart,
    BarPart,
    Chart,
    DotChart,
    DotRow,
    Limit,
    LineChart,
    Point,
    Series,
)
from pytest_throughput.report.charts.data_table import table_of
from pytest_throughput.report.charts.svg import standalone_svg, svg_of

SIZES = st.sampled_from([0.0, 1.0, 64.0, 1e18, 1e-18, -1.0]) | st.floats(1e-18, 1e18) | st.floats(0.5, 2.0)
NUMBERS = SIZES | st.floats()
ENDS = st.none() | NUMBERS
NAMES = st.sampled_from(
    ["pytorch", "", "</svg><script>alert(1)</script>", "a & \"b\" 'c'", "\x00\x1b[31m\u202e", "x" * 900]
) | st.text(st.characters(), max_size=40)
STYLES = st.integers(0, 100)
AXES = st.builds(Axis, NAMES, st.sampled_from(["linear", "log"]), st.lists(NUMBERS, max_size=4).map(tuple))
POINTS = st.lists(st.builds(Point, NUMBERS, NUMBERS, ENDS, ENDS), max_size=6).map(tuple)
SERIES = st.lists(st.builds(Series, NAMES, STYLES, POINTS, STYLES), max_size=5).map(tuple)
LIMITS = st.lists(st.builds(Limit, NUMBERS, NAMES, STYLES), max_size=4).map(tuple)
PARTS = st.lists(st.builds(BarPart, NAMES, STYLES, NUMBERS, ENDS, ENDS), max_size=4).map(tuple)
BARS = st.lists(st.builds(Bar, NAMES, PARTS), max_size=5).map(tuple)
ROWS = st.lists(
    st.builds(DotRow, NAMES, STYLES, st.lists(NUMBERS, max_size=5).map(tuple), ENDS, ENDS, ENDS), max_size=5
).map(tuple)
CHARTS: st.SearchStrategy[Chart] = (
    st.builds(LineChart, NAMES, NAMES, AXES, AXES, SERIES, LIMITS)
    | st.builds(BarChart, NAMES, NAMES, AXES, BARS, st.booleans())
    | st.builds(DotChart, NAMES, NAMES, AXES, ROWS)
)
POSITIVE = st.lists(st.floats(1e-18, 1e18) | st.floats(0.9, 1.1), min_size=1, max_size=8)


@given(CHARTS)
def test_svg_is_xml_with_everything_inside(chart: Chart) -> None:
    svg = svg_of(chart, "speed-1")
    root = parsed(svg)
    assert root.tag == "svg" and root.attrib["role"] == "img"
    identifiers = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(identifiers) == len({*identifiers}) and all(one.startswith("speed-1-") for one in identifiers)
    assert root.attrib["aria-labelledby"] in identifiers and root.attrib["aria-describedby"] in identifiers
    assert {*re.findall(r"url\(#(.*?)\)", svg)} <= {*identifiers}
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    for shape in shapes(root):
        assert all(-0.1 <= x <= width + 0.1 and -0.1 <= y <= height + 0.1 for x, y in shape.points), shape
    for text in texts(root):
        assert text.left >= -1 and text.right <= width + 1 and 8 <= text.y <= height, text
        assert text.content.isprintable()


@given(CHARTS)
def test_files_and_tables_of_any_chart_can_be_made(chart: Chart) -> None:
    svg = standalone_svg(chart)
    parsed(svg)
    assert "var(" not in svg and "light-dark" not in svg
    table = table_of(chart)
    assert all(len(row) == len(table.columns) for row in table.rows)


@given(POSITIVE, st.sampled_from(["linear", "log"]), st.sampled_from(["linear", "log"]))
def test_lines_keep_the_order_of_values(values: list[float], x_scale: str, y_scale: str) -> None:
    points = tuple(Point(float(2**n), value) for n, value in enumerate(values))
    chart = LineChart("", "", Axis("x", x_scale), Axis("y", y_scale), (Series("a", 0, points),))  # type: ignore[arg-type]
    lines = [shape.points for shape in shapes(parsed(svg_of(chart, "a"))) if "c-line" in shape.classes]
    line = lines[0] if len(values) > 1 else ()
    assert len(line) == (len(values) if len(values) > 1 else 0)
    assert all(one[0] < other[0] for one, other in itertools.pairwise(line))
    for (one, first), (other, second) in itertools.combinations(zip(values, line, strict=False), 2):
        assert (one <= other and first[1] >= second[1]) or (one >= other and first[1] <= second[1])


@given(POSITIVE)
def test_bars_begin_at_zero_and_keep_the_order_of_values(values: list[float]) -> None:
    bars = tuple(Bar(str(value), (BarPart("", 0, value),)) for value in values)
    found = shapes(parsed(svg_of(BarChart("", "", Axis("y", "log"), bars), "a")))
    zero = next(shape.points[0][0] for shape in found if "c-axis" in shape.classes)
    lengths = [shape.points[1][0] - shape.points[0][0] for shape in found if "c-bar" in shape.classes]
    assert len(lengths) == len(values)
    assert all(shape.points[0][0] == zero for shape in found if "c-bar" in shape.classes)
    for (one, first), (other, second) in itertools.combinations(zip(values, lengths, strict=True), 2):
        assert (one <= other and first <= second + 0.2) or (one >= other and first >= second - 0.2)


@given(POSITIVE, st.sampled_from(["linear", "log"]))
def test_dots_keep_the_order_of_values(values: list[float], scale: str) -> None:
    chart = DotChart("", "", Axis("x", scale), tuple(DotRow(str(value), 0, (value,)) for value in values))  # type: ignore[arg-type]
    found = [shape.points[0][0] for shape in shapes(parsed(svg_of(chart, "a"))) if "c-dot" in shape.classes]
    assert len(found) == len(values)
    for (one, first), (other, second) in itertools.combinations(zip(values, found, strict=True), 2):
        assert (one <= other and first <= second) or (one >= other and first >= second)
