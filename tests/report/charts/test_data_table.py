"""Every value of a chart is in its table, with its interval."""

from __future__ import annotations

import math

from pytest_throughput.report.charts.chart import (
    Axis,
    Bar,
    BarChart,
    BarPart,
    Cell,
    Chart,
    DotChart,
    DotRow,
    Limit,
    LineChart,
    Point,
    Series,
)
from pytest_throughput.report.charts.data_table import table_of


def cells(chart: Chart) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table_of(chart).rows]


def test_lines_have_a_column_each() -> None:
    series = (
        Series("pytorch", 0, (Point(1, 10, 9.5, 10.5), Point(8, 40))),
        Series("jax", 2, (Point(8, 50, 49, 51), Point(16, 0.00001234))),
    )
    chart = LineChart("", "", Axis("batch size"), Axis("images/s"), series, (Limit(8, "pytorch: 8 fits, 16 not", 0),))
    table = table_of(chart)
    assert table.columns == ("batch size", "pytorch", "jax") and table.numbers == {0, 1, 2}
    assert table.caption == "images/s by batch size, with 95 % intervals; pytorch: 8 fits, 16 not"
    assert cells(chart) == [
        ["1", "10.00 (9.500 to 10.50)", "-"],
        ["8", "40.00", "50.00 (49.00 to 51.00)"],
        ["16", "-", "0.00001234"],
    ]


def test_stacked_bars_have_a_column_for_each_part() -> None:
    bars = tuple(Bar(name, (BarPart("load", 0, 1.0), BarPart("train", 1, 2.0, 1, 3))) for name in ("a", "b"))
    chart = BarChart("", "", Axis("seconds"), bars, is_stacked=True)
    assert table_of(chart).columns == ("name", "load", "train")
    assert cells(chart)[1] == ["b", "1.000", "2.000 (1.000 to 3.000)"]


def test_bars_with_one_part_each_have_one_column_of_values() -> None:
    same = BarChart("", "", Axis("images/s"), tuple(Bar(name, (BarPart("x", 0, 1.0),)) for name in "ab"))
    assert (table_of(same).columns, table_of(same).caption) == (("name", "images/s"), "images/s")
    assert cells(same) == [["a", "1.000"], ["b", "1.000"]]
    own = BarChart("", "", Axis("images/s"), tuple(Bar(name, (BarPart(f"of {name}", 0, 1.0),)) for name in "abc"))
    assert table_of(own).columns == ("name", "part", "images/s")
    assert cells(own)[0] == ["a", "of a", "1.000"]


def test_dots_have_all_values_beside_the_estimate() -> None:
    rows = (DotRow("a", 0, (1.0, 3.0), 2.0, 0.5, 3.5), DotRow("b", 1, (math.nan,)))
    chart = DotChart("", "", Axis("images/s"), rows)
    assert cells(chart) == [["a", "2.000 (0.5000 to 3.500)", "2", "1.000, 3.000"], ["b", "-", "1", "-"]]
    assert table_of(chart).rows[1][1] == Cell("-")


def test_an_empty_chart_has_an_empty_table() -> None:
    assert table_of(BarChart("", "", Axis("seconds"), ())).rows == ()
    assert table_of(LineChart("", "", Axis("x"), Axis("y"), ())).columns == ("x",)
