"""Opening a case, as far as no framework is imported: what is refused, and what is not hidden."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dlworkloads import models, opening
from dlworkloads.case import Case
from dlworkloads.external.network import find_network
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.network import Network
from dlworkloads.opening import open_step
from pytest_throughput import Unsupported

AXES: dict[str, Any] = {
    "mode": "inference",
    "framework": "pytorch",
    "device": "cpu",
    "model": "mnist_cnn",
    "batch_size": 2,
    "precision": "fp32",
    "execution": "eager",
    "threads": 1,
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "dreaming"}, "no mode 'dreaming': the known ones are inference, training, update"),
        ({"framework": "torch"}, "no framework 'torch': the known ones are pytorch, tensorflow"),
        (
            {"execution": "graph"},
            "no execution of PyTorch 'graph': .* eager, compiled, compiled-frozen, compiled-graphs",
        ),
        ({"framework": "tensorflow", "execution": "jit"}, "of TensorFlow 'jit': .* eager, graph, compiled"),
        ({"precision": "fp8"}, "no precision 'fp8': the known ones are fp32, tf32, bf16, fp16"),
        ({"layout": "chwn"}, "no layout 'chwn': the known ones are nchw, nhwc"),
        ({"mode": "update", "optimiser": "lion"}, "no optimiser 'lion': the known ones are sgd, momentum, adam"),
        (
            {"mode": "update", "framework": "numpy"},
            "NumPy does inference only, and the mode is update: ask for inference",
        ),
        ({"device": "tpu"}, "PyTorch computes on cpu or cuda only, and the device is tpu: ask for cpu or cuda"),
    ],
)
def test_what_is_not_declared_is_refused_with_what_is(given: dict[str, str], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        open_step(**{**AXES, **given})


@pytest.mark.parametrize("model", ["googlenet_caffe", "mine:network"])
def test_auxiliary_heads_are_there_in_every_mode_but_inference(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def network(case: Case) -> Network:
        return models.build("googlenet_caffe")

    monkeypatch.setitem(sys.modules, "mine", SimpleNamespace(network=network))
    axes = {**AXES, "model": model}
    del axes["threads"]
    for mode, parameters in (("inference", 6_998_552), ("training", 13_378_280), ("update", 13_378_280)):
        found = find_network(Case(**{**axes, "mode": mode}), FRAMEWORKS)
        assert isinstance(found, Network)
        assert found.parameter_count == parameters
        assert (found.hash == models.build("googlenet").hash) is (mode == "inference")


def test_a_missing_framework_is_refused_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda package: None)
    with pytest.raises(Unsupported, match=f"PyTorch is not installed in {sys.executable}: pip install torch"):
        open_step(**AXES)


def test_a_broken_framework_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file')\n")
    error = _error_in_a_fresh_process(f"open_step(**{AXES!r})", str(tmp_path))
    assert error.startswith("ImportError: libcudart.so.13")


def test_the_execution_is_refused_before_the_framework_is_imported(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('imported')\n")
    error = _error_in_a_fresh_process(f"open_step(**{ {**AXES, 'execution': 'graph'}!r})", str(tmp_path))
    assert "Unsupported: there is no execution of PyTorch 'graph'" in error


def _error_in_a_fresh_process(statement: str, *path: str) -> str:
    program = f"from dlworkloads.opening import open_step; {statement}"
    environment = {"PYTHONPATH": ":".join([*path, *sys.path])}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    return ran.stderr.strip().splitlines()[-1]
