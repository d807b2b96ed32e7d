"""The classes of operators of profiled cases, and the longest operators."""

from __future__ import annotations

from typing import Any

from invented_cases import case, rates, trial

from pytest_throughput.measurement.kernel import KINDS
from pytest_throughput.report.charts.chart import BarChart, Section
from pytest_throughput.report.sections import operators
from pytest_throughput.results.model import CaseResult, RunResult


def profiled(framework: str, *rows: tuple[str, str, float], **axes: Any) -> CaseResult:
    kernels = [
        {"name": name, "class": kind, "calls": 4, "seconds": seconds, "share": 0.1} for name, kind, seconds in rows
    ]
    return case(framework, [trial(kernels=kernels, profile={"steps": 2})], **axes)


def section(*cases: CaseResult) -> Section:
    found = operators.section(RunResult(cases))
    assert found is not None
    return found


TORCH = profiled("pytorch", ("conv", "convolution", 0.3), ("relu", "element-wise", 0.1))
JAX = profiled("jax", ("fusion", "convolution", 0.2), ("what", "a later class", 0.1), ("copy", "copy", 0.1))


def test_classes_are_stacked_shares() -> None:
    (chart,) = section(TORCH, JAX).charts
    assert isinstance(chart, BarChart)
    assert chart.is_stacked
    assert [(bar.label, [(part.name, round(part.value)) for part in bar.parts]) for bar in chart.bars] == [
        ("pytorch", [("convolution", 75), ("element-wise", 25)]),
        ("jax", [("convolution", 50), ("copy", 25), ("other", 25)]),
    ]
    assert {(part.name, part.style) for bar in chart.bars for part in bar.parts} <= {
        (kind, style) for style, kind in enumerate(KINDS)
    }
    assert chart.title == "convolution took 50 % to 75 % of the operators' seconds"


def test_the_title_is_the_quantity_where_cases_differ() -> None:
    (chart,) = section(TORCH, profiled("jax", ("add", "element-wise", 0.2))).charts
    assert chart.title == "share of each class of operators"


def test_the_longest_operators_are_a_table() -> None:
    many = profiled("numpy", *((f"op{number}", "copy", 0.1 * (9 - number)) for number in range(9)), model="vgg16")
    (table,) = section(TORCH, many).tables
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows[0] == ["pytorch (training, resnet50, cpu)", "conv", "convolution", "2.00", "150.0", "75 %"]
    assert [row[1] for row in rows] == ["conv", "relu", "op0", "op1", "op2", "op3", "op4"]


def test_the_cases_with_the_longest_steps_are_shown_where_there_are_many() -> None:
    cases = [profiled("jax", ("conv", "convolution", 0.1 * size), batch_size=size) for size in range(1, 31)]
    found = section(*cases)
    (chart,) = found.charts
    assert isinstance(chart, BarChart)
    assert [bar.label for bar in chart.bars][:2] == ["jax batch 19", "jax batch 20"]
    assert len(found.tables[0].rows) == 12


def test_there_is_no_section_without_a_profile() -> None:
    assert operators.section(RunResult((case("jax", rates(1.0)), profiled("jax", ("a", "copy", 0.0))))) is None
