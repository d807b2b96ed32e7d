"""The share of the device's peak, from the option to the JSON."""

from __future__ import annotations

import pytest
from plugin_project import Project

TESTS = """
def test_it(measure_isolated):
    measure_isolated("steps:sleep", {"milliseconds": 10, "flops_per_image": 1e9}, items=2)
"""


@pytest.mark.parametrize(("tflops", "implausible"), [("1", False), ("0.01", True)])
def test_the_peak_may_be_given(project: Project, tflops: str, implausible: bool) -> None:
    project.tests(TESTS)
    result = project.run(
        "--throughput-protocol=paper", "--benchmark-json=run.json", f"--throughput-peak-tflops={tflops}"
    )
    assert result.ret == 0
    (benchmark,) = project.json()["benchmarks"]
    info = benchmark["extra_info"]
    assert info["peak"] == {"tflops": float(tflops), "method": "given", "source": "--throughput-peak-tflops"}
    expected = 1e9 * info["images_per_second"] / (1e12 * float(tflops))
    assert info["model_flops_utilisation"] == pytest.approx(expected)
    assert ("of the device's peak" in (info["implausible"] or "")) == implausible


def test_a_step_of_unknown_work_has_none(project: Project) -> None:
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep')")
    (benchmark,) = project.run_json("--throughput-protocol=paper")["benchmarks"]
    assert benchmark["extra_info"]["model_flops_utilisation"] is None
    assert benchmark["extra_info"]["peak"] is None


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "many"])
def test_a_peak_is_a_number_above_0(project: Project, text: str) -> None:
    result = project.run(f"--throughput-peak-tflops={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*expected a number above 0, got '{text}'"])
