"""What a framework declares, and the template that every framework fills in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlworkloads.base.external_network import ExternalNetwork
from dlworkloads.base.workload import Workload
from dlworkloads.case import Case
from dlworkloads.external.network import describe
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Dense, Flatten
from dlworkloads.models.network import Network

CASE = Case("training", "recorder", "cpu", "net", 2, "fp32", "eager")
NETWORK = Network("net", (3, 4, 4), Sequential(Flatten(), Dense(5)))


class Recorder(Workload):
    """A framework that records which of its methods the template calls, with the shapes of their arguments."""

    default_layout = "nhwc"

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found) or name in ("function", "run"):
            return found

        def recorded(*arguments: Any) -> Any:
            shapes = [each.shape if isinstance(each, np.ndarray) else each for each in arguments]
            self.__dict__.setdefault("calls", []).append((name, *shapes))
            return found(*arguments)

        return recorded

    @staticmethod
    def prepare(case: Case, threads: int | None) -> None:
        pass

    def set_up(self) -> None:
        pass

    def arrange(self, images: np.ndarray) -> np.ndarray:
        return images.transpose(0, 2, 3, 1)

    def upload(self, values: np.ndarray) -> Any:
        return values

    def build(self, network: Network) -> Any:
        return "the model"

    def set_running_statistics(self, images: Any) -> None:
        pass

    def inference_function(self) -> Callable[..., Any]:
        return lambda *batch: ("inference", len(batch))

    def training_function(self, loss: str) -> Callable[..., Any]:
        return lambda *batch: (loss, len(batch))

    def read_settings(self) -> dict[str, Any]:
        return {"threads": 1}

    def read_versions(self) -> dict[str, str]:
        return {"recorder": "1.0"}

    def wait(self, output: Any) -> None:
        pass

    def read(self, output: Any) -> dict[str, np.ndarray]:
        return {}

    def load(self, parameters: Any) -> None:
        pass

    def parameters(self) -> dict[str, np.ndarray]:
        return {}

    def release(self) -> None:
        pass


class Adopter(Recorder):
    """The same, with networks of its own."""

    def adopt(self, network: ExternalNetwork) -> Any:
        return network.module

    def output_shape(self) -> tuple[int, ...] | None:
        shape: tuple[int, ...] | None = self.model
        return shape


def names(workload: Workload) -> list[str]:
    return [name for name, *_ in vars(workload)["calls"]]


def test_the_steps_to_training() -> None:
    workload = Recorder(CASE, NETWORK)
    assert vars(workload)["calls"][1:3] == [("arrange", (2, 3, 4, 4)), ("upload", (2, 4, 4, 3))]
    assert names(workload)[3:] == [
        *("wait", "build", "wait", "upload", "training_function", "execute", "read_settings", "read_versions")
    ]
    assert workload.run() == ("cross_entropy", 2)
    assert workload.settings == {"layout": "nhwc", "threads": 1}
    assert workload.versions == {"recorder": "1.0"}


def test_the_steps_to_inference() -> None:
    workload = Recorder(replace(CASE, mode="inference", layout="nchw"), NETWORK)
    assert names(workload)[3:] == [
        *("wait", "build", "wait", "inference_function", "set_running_statistics", "execute"),
        *("read_settings", "read_versions"),
    ]
    assert workload.run() == ("inference", 1)
    assert workload.settings["layout"] == "nchw"


@pytest.mark.parametrize(("batch_size", "images"), [(2, 2), (8, 8), (32, 8)])
def test_statistics_are_taken_on_few_images(batch_size: int, images: int) -> None:
    """A forward pass in training mode over the whole batch needed several times the memory of the measured step."""
    workload = Recorder(replace(CASE, mode="inference", batch_size=batch_size), NETWORK)
    (shape,) = (shape for name, *shape in vars(workload)["calls"] if name == "set_running_statistics")
    assert shape == [(images, 4, 4, 3)]
    assert workload.batch[0].shape == (batch_size, 4, 4, 3)


def test_a_network_of_the_framework_is_adopted_as_it_is() -> None:
    workload = Adopter(CASE, ExternalNetwork("mine:net", (1, 1), (3, 4, 4), 2.5))
    assert names(workload)[:5] == ["set_up", "upload", "wait", "adopt", "wait"]
    assert workload.run() == ("binary_cross_entropy", 2)
    assert workload.batch[1].shape == (2, 1) and workload.batch[1].dtype == np.float32
    assert workload.build_seconds > 2.5


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (None, r"mine:net gives no tensor; expected logits of shape \(batch, classes\)"),
        ((1, 4, 7, 7), r"mine:net gives a tensor of shape \(1, 4, 7, 7\); expected logits"),
    ],
)
def test_what_gives_no_logits_is_refused(shape: tuple[int, ...] | None, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Adopter(CASE, ExternalNetwork("mine:net", shape, (3, 4, 4), 0.0))


@pytest.mark.parametrize(("device", "asynchronous"), [("cpu", False), ("cuda", True), ("cuda:1", True)])
def test_every_device_but_the_cpu_may_return_early(device: str, asynchronous: bool) -> None:
    assert Recorder(replace(CASE, device=device), NETWORK).asynchronous is asynchronous


def test_closing_lets_go_of_network_and_batch() -> None:
    workload = Recorder(CASE, NETWORK)
    workload.close()
    assert {"function", "model", "batch"}.isdisjoint(vars(workload))
    assert names(workload)[-1] == "release"


def test_a_network_that_the_framework_cannot_count_has_a_hash() -> None:
    known = describe(ExternalNetwork("mine:net", object(), (3, 4, 4), 0.0), CASE, None)
    unknown = dict.fromkeys(("parameters", "flops_per_image", "winograd_flops_share"))
    assert known == {**unknown, "network_hash": known["network_hash"]}
    assert len(known["network_hash"]) == 16


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "My Framework"}, "framework 'My Framework': expected a name of lower-case letters, digits"),
        ({"name": "a,b"}, "expected a name of lower-case letters"),
        (
            {"default_execution": "graph"},
            "default execution 'graph' is not among its executions: eager, c",
        ),
    ],
)
def test_a_framework_that_contradicts_itself_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(FRAMEWORKS["pytorch"], **given)  # type: ignore[arg-type]


def test_the_unit_is_the_networks_and_not_a_part_of_its_hash() -> None:
    assert NETWORK.unit == ExternalNetwork("mine:net", None, (3,), 0.0).unit == "images"
    assert replace(NETWORK, unit="tokens").hash == NETWORK.hash
