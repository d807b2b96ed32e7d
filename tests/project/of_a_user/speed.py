"""The benchmarks of a user's project, in which the session ``package`` of the noxfile uses the wheel alone."""

from pytest_throughput.suite import MeasureIsolated, MeasureStep


def test_in_process(measure_step: MeasureStep) -> None:
    measure_step(lambda: sum(range(1000)), items=1000)


def test_isolated(measure_isolated: MeasureIsolated) -> None:
    measure_isolated("steps:open_product", {"size": 64})
