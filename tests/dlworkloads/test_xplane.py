"""Operators from the events of the profiler that TensorFlow and JAX share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlworkloads.runtimes.xplane import Event, Line, operators_of, write_chrome_trace

HOST, GPU = "/host:CPU", "/device:GPU:0"


def hlo(name: str, start: float, duration: float, **statistics: Any) -> Event:
    return Event(name, start, duration, {"hlo_op": name, **statistics})


def in_microseconds(lines: list[Line]) -> dict[str, Any]:
    return {name: (calls, pytest.approx(1e6 * seconds)) for name, calls, seconds in operators_of(lines)}


def test_an_operator_does_not_count_those_within_it() -> None:
    events = [
        Event("ThunkExecutor::Execute", 0, 20_000),
        hlo("while.1", 1_000, 10_000),
        hlo("dot.3", 2_000, 4_000),
        hlo("dot.4", 7_000, 2_000),
        hlo("add", 12_000, 1_000),
    ]
    assert in_microseconds([Line(HOST, "python", events)]) == {"while": (1, 4.0), "dot": (2, 6.0), "add": (1, 1.0)}


def test_instructions_get_better_names() -> None:
    events = [hlo("ynn_fusion.1", 0, 1_000), hlo("ynn_fusion.2", 2_000, 1_000), hlo("add.1", 4_000, 1_000)]
    names = {"ynn_fusion.1": "ynn_fusion(dot)", "ynn_fusion.2": "ynn_fusion(dot)"}
    operators = operators_of([Line(HOST, "python", events)], names)
    assert [(name, calls) for name, calls, _ in operators] == [("ynn_fusion(dot)", 2), ("add", 1)]


def test_an_asynchronous_operator_lasts_to_its_end_on_another_thread() -> None:
    first = [hlo("convolution.1", 0, 1_000, _p=7), hlo("convolution.1", 20_000, 1_000, _p=8)]
    second = [
        Event("end: convolution.1", 9_000, 10, {"_c": 7}),
        Event("end: convolution.1", 25_000, 10, {"_c": 8}),
        Event("end: convolution.1", 99_000, 10, {"_c": 9}),
    ]
    assert in_microseconds([Line(HOST, "a", first), Line(HOST, "b", second)]) == {"convolution": (2, 14.0)}


def test_operations_of_a_graph_count_by_their_type_and_functions_by_what_is_in_them() -> None:
    events = [
        Event("__inference_step_12:__inference_step_12", 0, 50_000, {}, "__inference_step_12"),
        Event("model/conv/Conv2D:Conv2D", 1_000, 3_000, {}, "Conv2D"),
        Event("model/conv2/Conv2D:Conv2D", 5_000, 4_000, {}, "Conv2D"),
        Event("ExecutorState::Process", 0, 40_000),
    ]
    assert in_microseconds([Line(HOST, "tf_Compute", events)]) == {"Conv2D": (2, 7.0)}


def test_an_eager_operation_counts_by_its_kernel() -> None:
    events = [
        Event("EagerLocalExecute: MatMul", 0, 30_000),
        Event("EagerKernelExecute", 5_000, 20_000),
        Event("KernelAndDeviceFunc::Run", 6_000, 11_000),
        Event("EagerLocalExecute: __inference_step_12", 40_000, 30_000),
        Event("KernelAndDeviceFunc::Run", 41_000, 11_000),
    ]
    assert in_microseconds([Line(HOST, "python", events)]) == {"MatMul": (1, 11.0)}


def test_on_a_gpu_only_its_streams_count() -> None:
    lines = [
        Line(HOST, "python", [hlo("fusion", 0, 9_000)]),
        Line(GPU, "Stream #13(Compute)", [hlo("sgemm_128x64", 0, 2_000), hlo("sgemm_128x64", 3_000, 2_000)]),
        Line(GPU, "Stream #14(MemcpyH2D)", [Event("MemcpyH2D", 0, 1_000)]),
        Line(GPU, "XLA Ops", [Event("fusion", 0, 5_000)]),
    ]
    assert in_microseconds(lines) == {"sgemm_128x64": (2, 4.0), "MemcpyH2D": (1, 1.0)}


def test_the_trace_is_one_that_chrome_reads(tmp_path: Path) -> None:
    lines = [
        Line(HOST, "a thread", [Event("MatMul", 5_000, 2_000, {"id": 2**60})]),
        Line(GPU, "Stream #1", [Event("kernel", 6_000, 1_000)]),
    ]
    write_chrome_trace(lines, str(tmp_path / "trace.json"))
    records = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = {record["args"]["name"] for record in records if record["ph"] == "M"}
    assert names == {HOST, GPU, "a thread", "Stream #1"}
    events = [record for record in records if record["ph"] == "X"]
    assert [(each["name"], each["ts"], each["dur"]) for each in events] == [("MatMul", 0.0, 2.0), ("kernel", 1.0, 1.0)]
    assert len({(each["pid"], each["tid"]) for each in events}) == 2
