"""Data types and switches after the first step, compared with what the case asks for. NumPy stands for a framework."""

from __future__ import annotations

from typing import Any

import pytest

from dlworkloads.case import Case
from dlworkloads.frameworks.numpy.workload import NumPyWorkload
from dlworkloads.opening import open_step
from dlworkloads.verification import OtherThanAskedFor, dtypes_asked_for, verified_metadata
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Outcome
from pytest_throughput.worker.running_trial import run_to_end
from pytest_throughput.worker.trial import Trial

AXES: dict[str, Any] = {
    "mode": "inference",
    "framework": "numpy",
    "device": "cpu",
    "model": "mnist_cnn",
    "batch_size": 2,
    "precision": "fp32",
    "execution": "eager",
}
ALL_FLOAT32 = {"weights": "float32", "images": "float32", "computation": "float32"}


def run(monkeypatch: pytest.MonkeyPatch, dtypes: dict[str, str] | None = None, **settings: object) -> Outcome:
    """Run one step of a framework that shows these data types and settings after it."""

    def open_case() -> Any:
        step = open_step(**AXES)
        if dtypes is not None:
            monkeypatch.setattr(NumPyWorkload, "dtypes", lambda workload, output: dtypes)
        as_opened = NumPyWorkload.read_settings
        monkeypatch.setattr(NumPyWorkload, "read_settings", lambda workload: {**as_opened(workload), **settings})
        return step

    return run_to_end(Trial(open_case, ONCE, own_process=True))


@pytest.mark.parametrize(
    ("mode", "precision", "kept", "computation"),
    [
        ("inference", "fp32", "float32", "float32"),
        ("training", "tf32", "float32", "float32"),
        ("inference", "bf16", "bfloat16", "bfloat16"),
        ("training", "bf16", "float32", "bfloat16"),
        ("update", "fp16", "float32", "float16"),
        ("training", "fp64", "float64", "float64"),
    ],
)
def test_training_in_reduced_precision_is_mixed(mode: str, precision: str, kept: str, computation: str) -> None:
    case = Case(mode, "pytorch", "cpu", "vgg16", 8, precision, "eager")
    assert dtypes_asked_for(case) == {"weights": kept, "images": kept, "computation": computation}


@pytest.mark.parametrize("dtypes", [None, ALL_FLOAT32, {"weights": "float32"}])
def test_what_was_seen_is_recorded(monkeypatch: pytest.MonkeyPatch, dtypes: dict[str, str] | None) -> None:
    outcome = run(monkeypatch, dtypes)
    assert outcome.status == "ok"
    assert outcome.metadata["settings"]["dtypes"] == (ALL_FLOAT32 if dtypes is None else dtypes)


def test_a_framework_that_shows_nothing_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, {}).metadata["settings"]["dtypes"] is None
    only_products = {"weights": "", "computation": "float32"}
    assert run(monkeypatch, only_products).metadata["settings"]["dtypes"] == {"computation": "float32"}


@pytest.mark.parametrize("found", ["bfloat16", "bfloat16, float32"])
def test_another_data_type_than_asked_for_fails(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    outcome = run(monkeypatch, {**ALL_FLOAT32, "computation": found})
    assert outcome.status == "failed"
    assert outcome.reason == (
        f"OtherThanAskedFor: --precision fp32 asks for computation in float32, but found {found} after the first step "
        "(inference, eager): the framework or the network has changed it"
    )


def test_a_users_network_may_cast_a_part_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = NumPyWorkload.__new__(NumPyWorkload)
    workload.case = Case(**AXES)
    shown = {**ALL_FLOAT32, "computation": "bfloat16, float32"}
    monkeypatch.setattr(NumPyWorkload, "read_settings", lambda workload: {})
    monkeypatch.setattr(NumPyWorkload, "dtypes", lambda workload, output: shown)
    verified = verified_metadata(workload, None, allow_others=True)
    assert verified == {"settings": {"dtypes": shown}, "compile_seconds": None}
    shown["computation"] = "bfloat16"
    with pytest.raises(OtherThanAskedFor, match="computation in float32, but found bfloat16"):
        verified_metadata(workload, None, allow_others=True)


def test_tf32_that_was_switched_on_meanwhile_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(monkeypatch, tf32_matmul=True)
    assert outcome.status == "failed"
    assert "--precision fp32 asks for tf32_matmul=False, but found True" in (outcome.reason or "")


def test_settings_are_those_after_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = run(monkeypatch, tf32_convolution=None, threads=3).metadata["settings"]
    assert (settings["tf32_convolution"], settings["threads"], settings["layout"]) == (None, 3, "nchw")


@pytest.mark.parametrize(
    ("execution", "frozen", "problem"),
    [
        ("compiled-frozen", True, None),
        ("compiled-frozen", False, "frozen_weights=True, but found False: .* the outputs changed with them"),
        ("compiled", False, None),
        ("compiled", True, "frozen_weights=False, but found True: .* the outputs stayed as they were"),
        ("graph", True, None),
        ("compiled-frozen", None, None),
    ],
)
def test_weights_are_constants_where_the_execution_says_so(
    monkeypatch: pytest.MonkeyPatch, execution: str, frozen: bool | None, problem: str | None
) -> None:
    workload = NumPyWorkload.__new__(NumPyWorkload)
    workload.case = Case(**{**AXES, "execution": execution})
    for name, shown in (("read_settings", {}), ("dtypes", {}), ("frozen_weights", frozen)):
        monkeypatch.setattr(NumPyWorkload, name, lambda workload, output=None, shown=shown: shown)
    if problem is None:
        settings = verified_metadata(workload, None, allow_others=False)["settings"]
        assert settings == {"dtypes": None, **({} if frozen is None else {"frozen_weights": frozen})}
    else:
        with pytest.raises(OtherThanAskedFor, match=f"--execution {execution} asks for {problem}"):
            verified_metadata(workload, None, allow_others=False)
