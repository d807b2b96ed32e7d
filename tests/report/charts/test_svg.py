"""Charts as people meet them: names at line ends or in a legend, intervals, memory walls, stacked phases."""

from __future__ import annotations

import pytest
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
from pytest_throughput.report.charts.stylesheet import stylesheet
from pytest_throughput.report.charts.svg import standalone_svg, svg_of

BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


def rates(name: str, style: int, factor: float, count: int = 8, interval: float = 0.05, variant: int = 0) -> Series:
    values = [(batch, factor * batch / (batch + 4)) for batch in BATCHES[:count]]
    points = (Point(x, y, y * (1 - interval), y * (1 + interval)) for x, y in values)
    return Series(name, style, tuple(points), variant)


def lines(*series: Series, limits: tuple[Limit, ...] = (), y: str = "linear") -> LineChart:
    axis = Axis("images per second", y)  # type: ignore[arg-type]
    return LineChart("training, resnet50, cpu", "JAX leads", Axis("batch size", "log", BATCHES), axis, series, limits)


def drawn(chart: Chart) -> list[str]:
    return [text.content for text in texts(parsed(svg_of(chart, "a")))]


def with_class(chart: Chart, name: str) -> int:
    return sum(name in shape.classes for shape in shapes(parsed(svg_of(chart, "a"))))


def test_lines_are_named_at_their_ends_if_they_end_apart() -> None:
    chart = lines(rates("pytorch", 0, 100), rates("jax", 2, 150))
    assert with_class(chart, "c-leader") == 2
    assert drawn(chart)[-2:] == ["pytorch", "jax"]


@pytest.mark.parametrize(
    "series",
    [
        pytest.param([rates(f"framework {n}", n, 100 + n) for n in range(12)], id="end at one place"),
        pytest.param([rates("pytorch", 0, 100, count=3), rates("jax", 2, 70)], id="a leader would cross a line"),
    ],
)
def test_lines_that_cannot_be_named_at_their_ends_have_a_legend(series: list[Series]) -> None:
    chart = lines(*series)
    assert with_class(chart, "c-leader") == 0
    assert {one.name for one in series} <= {*drawn(chart)}


def test_variants_of_a_style_differ_by_dash_and_filling() -> None:
    svg = svg_of(lines(rates("eager", 0, 100), rates("compiled", 0, 150, variant=1)), "a")
    assert 'class="c0"' in svg and 'class="c0 v1"' in svg
    assert 'class="c-mark"' in svg and 'class="c-open"' in svg


def test_batch_sizes_are_the_ticks() -> None:
    assert {"1", "2", "4", "8", "16", "32", "64", "128"} <= {*drawn(lines(rates("jax", 2, 100)))}


def test_ticks_that_do_not_fit_are_left_out_evenly() -> None:
    bars = tuple(Bar("x" * 60, (BarPart("calls", 0, value),)) for value in (1.0, 24_000.0))
    assert [text for text in drawn(BarChart("", "", Axis("calls/s"), bars)) if text.endswith("0")][:3] == [
        "0", "10,000", "20,000",
    ]  # fmt: skip


def test_an_interval_beyond_the_axis_is_cut_and_has_no_cap() -> None:
    chart = lines(Series("jax", 2, (Point(1, 10, 9, 11), Point(2, 12, 1, 4000))))
    bars = [shape for shape in shapes(parsed(svg_of(chart, "a"))) if "c-error" in shape.classes]
    assert len(bars) == 1 and len(bars[0].points) == 2 + 4 + 2 + 2


def test_each_limit_has_a_row_and_a_line() -> None:
    limits = (Limit(64, "pytorch: largest batch 64", 0), Limit(64, "jax: largest batch 64", 2))
    chart = lines(rates("pytorch", 0, 100, 7), rates("jax", 2, 150, 7), limits=limits, y="log")
    assert with_class(chart, "c-limit") == 2
    rows = {text.content: text.y for text in texts(parsed(svg_of(chart, "a"))) if "largest" in text.content}
    assert len({*rows.values()}) == 2


def test_many_points_have_few_marks_but_a_whole_line() -> None:
    points = tuple(Point(float(epoch), 1 / (1 + epoch)) for epoch in range(500))
    chart = LineChart("", "", Axis("epoch"), Axis("loss"), (Series("jax", 2, points),))
    found = shapes(parsed(svg_of(chart, "a")))
    assert [len(shape.points) for shape in found if "c-line" in shape.classes] == [500]
    assert 10 < sum("c-mark" in shape.classes for shape in found) < 60


def test_stacked_bars_lie_end_to_end_and_have_a_legend() -> None:
    bars = tuple(
        Bar(name, (BarPart("load", 0, 1.5, 1.2, 1.8), BarPart("train", 1, 3.0), BarPart("save", 2, 0.5)))
        for name in ("pytorch", "jax")
    )
    chart = BarChart("phases", "Training takes longest", Axis("seconds"), bars, is_stacked=True)
    parts = [shape.points for shape in shapes(parsed(svg_of(chart, "a"))) if "c-part" in shape.classes]
    assert len(parts) == 6
    assert [parts[n][1][0] for n in (0, 1)] == pytest.approx([parts[n][0][0] for n in (1, 2)], abs=0.11)
    assert {"load", "train", "save", "5.00"} <= {*drawn(chart)}
    assert svg_of(chart, "a").count("<pattern") == 3
    whiskers = next(shape.points for shape in shapes(parsed(svg_of(chart, "a"))) if "c-whisker" in shape.classes)
    assert len({y for _, y in whiskers}) == 2 * 3  # The line of each interval, and the ends of its caps.


def test_bars_of_one_row_are_named_where_the_row_does_not_name_them() -> None:
    pair = (BarPart("cpu", 0, 10.0), BarPart("cuda", 1, 100.0))
    assert {"cpu 10.0", "cuda 100"} <= {*drawn(BarChart("", "", Axis("images/s"), (Bar("pytorch", pair),)))}
    alone = tuple(Bar(name, (BarPart(name, n, 10.0),)) for n, name in enumerate(("pytorch", "jax")))
    assert "10.0" in drawn(BarChart("", "", Axis("images/s"), alone))


def test_trials_are_dots_beside_their_mean() -> None:
    rows = (DotRow("pytorch", 0, (10.0, 10.4, 9.9), 10.1, 9.5, 10.7), DotRow("jax", 2, (12.0,)))
    chart = DotChart("", "Trials", Axis("images/s"), rows)
    assert (with_class(chart, "c-dot"), with_class(chart, "c-error"), with_class(chart, "c-mark")) == (2, 1, 1)


def test_two_hundred_rows_and_long_names() -> None:
    bars = tuple(Bar(f"tests/{'x' * 300}::test[{n}]", (BarPart("pytorch", 0, n + 1.0),)) for n in range(200))
    names = [name for name in drawn(BarChart("", "", Axis("images/s"), bars)) if "…" in name]
    assert len({*names}) == 200  # The ends, in which they differ, are kept.


def test_hostile_text_stays_text() -> None:
    hostile = "</title><script>alert('1')</script>\x00\x1b[2J\u202e"
    chart = LineChart(
        hostile, hostile, Axis(hostile), Axis(hostile), (Series(hostile, 0, (Point(1, 1), Point(2, 3))),),
        (Limit(2, hostile, 0),),
    )  # fmt: skip
    for svg in (svg_of(chart, "a"), standalone_svg(chart)):
        assert "<script" not in svg and "\x1b" not in svg and "\x00" not in svg and "\u202e" not in svg


def test_charts_of_five_hundred_cases_are_small() -> None:
    charts = [lines(*(rates(f"framework {n}", n, 50.0 + 20 * n) for n in range(8))) for _ in range(8)]
    assert sum(len(svg_of(chart, "speed-1")) for chart in charts) < 120_000
    assert len(stylesheet()) < 4_000
