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


PRODUCTS = """
import time
from pytest_throughput import Step

def open_step(framework):
    def product(size):
        if framework == "failing":
            raise RuntimeError("no kernel")
        return lambda: time.sleep(0.1)

    metadata = {"flops_per_image": 1e3, "precision": "fp32", "settings": {"threads": 2}}
    return Step(lambda: sum(range(1000)), metadata=metadata, products={framework: product})
"""
PRODUCT_TESTS = """
import pytest

@pytest.mark.parametrize("framework", ["failing", "working"])
def test_it(measure_isolated, framework):
    measure_isolated("products:open_step", {"framework": framework})
"""


def test_the_peak_of_a_cpu_is_the_best_product_of_the_run(project: Project) -> None:
    """It is the same for all cases, whichever step brought it, in the file as in the table."""
    (project.path / "products.py").write_text(PRODUCTS)
    project.tests(PRODUCT_TESTS)
    result = project.run("--throughput-trials=2", "--throughput-isolation=none", "--benchmark-json=run.json")
    infos = [benchmark["extra_info"] for benchmark in project.json()["benchmarks"]]
    measured = [info["product_flops"] for info in infos if info["product_flops"]]
    (peak,) = {(info["peak"]["tflops"], info["peak"]["method"], info["peak"]["source"]) for info in infos}
    assert peak[1:] == ("measured", "a large product of matrices by working, 2 threads")
    assert peak[0] == max(each["working"] for each in measured) / 1e12
    for info in infos:
        expected = 1e3 * info["images_per_second"] / (1e12 * peak[0])
        assert info["model_flops_utilisation"] == pytest.approx(expected)
    result.stdout.fnmatch_lines([f"*peak: * TFLOP/s in fp32 ({peak[2]})"])
    assert (
        project.run("--throughput-peak-tflops=1", "--throughput-isolation=none", "--benchmark-json=run.json").ret == 0
    )
    assert {str(one["extra_info"]["product_flops"]) for one in project.json()["benchmarks"]} == {"None"}


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


PHASES = """
import time
from pytest_throughput import Once, Phase

def job():
    phases = [Phase("train", lambda: time.sleep(0.01)), Phase("predict", lambda: time.sleep(0.01), items=10)]
    return Once(phases, metadata={"flops_per_image": 1e9})
"""


def test_a_phase_that_counts_no_items_has_none(project: Project) -> None:
    (project.path / "jobs.py").write_text(PHASES)
    project.tests("""
        import pytest

        @pytest.mark.parametrize("phase", ["train", "predict"])
        def test_it(measure_isolated, phase):
            measure_isolated("jobs:job", phase=phase)
        """)
    arguments = ("--throughput-peak-tflops=1", "--throughput-isolation=none")
    train, predict = [each["extra_info"] for each in project.run_json(*arguments)["benchmarks"]]
    assert (train["model_flops_utilisation"], train["peak"]) == (None, None)
    assert predict["model_flops_utilisation"] == pytest.approx(1e9 * predict["images_per_second"] / 1e12)
