"""Our translations do what networks written by hand in the framework do: operation by operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlworkloads.case import Case
from dlworkloads.external.network import find_network
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.opening import import_workload

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def _workload(framework: str, model: str, mode: str, execution: str) -> Any:
    case = Case(mode, framework, "cpu", model, 1, "fp32", execution)
    kind = import_workload(FRAMEWORKS[framework], case, 1)
    kind.prepare(case, 1)
    return kind(case, find_network(case, FRAMEWORKS))


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("model", ["resnet50", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_pytorch_dispatches_the_same(model: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Record(TorchDispatchMode):  # type: ignore[misc]  # torch has no types here
        def __init__(self) -> None:
            super().__init__()
            self.operations: list[Any] = []

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = [tuple(each.shape) if hasattr(each, "shape") else each for each in tree_leaves((args, kwargs))]
            self.operations.append((str(func), given))
            return func(*args, **(kwargs or {}))

    monkeypatch.syspath_prepend(BENCHMARKS)
    recorded = []
    for name in (model, f"networks_by_hand:{model}_in_pytorch"):
        workload = _workload("pytorch", name, mode, "eager")
        with Record() as record:
            workload.run()
        recorded.append(record.operations)
    ours, by_hand = recorded
    assert len(ours) > 30
    assert ours == by_hand


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize(
    ("ours", "by_hand", "shape"),
    [
        ("mnist_cnn", "networks_by_hand:mnist_cnn_in_keras", (28, 28, 1)),
        pytest.param(
            "networks_by_hand:vgg16_without_dropout", "keras:VGG16", (224, 224, 3), marks=pytest.mark.slow, id="vgg16"
        ),
    ],
)
def test_tensorflow_traces_the_same(
    ours: str, by_hand: str, shape: tuple[int, ...], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = pytest.importorskip("tensorflow")
    monkeypatch.syspath_prepend(BENCHMARKS)
    recorded = []
    for name in (ours, by_hand):
        workload = _workload("tensorflow", name, mode, "graph")
        batch = [tf.TensorSpec((1, *shape)), tf.TensorSpec((1,), tf.int64)][: 1 if mode == "inference" else 2]
        graph = workload.function.get_concrete_function(*batch).graph
        recorded.append(
            Counter((each.type, str([out.shape for out in each.outputs])) for each in graph.get_operations())
        )
        workload.close()
    assert sum(recorded[0].values()) > 20
    assert recorded[0] == recorded[1]


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("model", ["mnist_cnn", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_jax_traces_the_same(model: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations that take time, with the shapes of their results."""
    jax = pytest.importorskip("jax")
    monkeypatch.syspath_prepend(BENCHMARKS)
    import steps_by_hand

    case = Case(mode, "jax", "cpu", model, 1, "fp32", "compiled")
    ours = _workload("jax", model, mode, "compiled").run
    by_hand = getattr(steps_by_hand, f"{model}_in_jax")(case).run
    heavy = ("conv_general", "dot", "reduce_window", "select_and_scatter", "random_bits", "transpose", "max")
    recorded = [
        Counter(
            (each.primitive.name, str([result.aval for result in each.outvars]))
            for each in _operations(jax.make_jaxpr(run)().jaxpr)
            if each.primitive.name.startswith(heavy)
        )
        for run in (ours, by_hand)
    ]
    assert sum(recorded[0].values()) > 4
    assert recorded[0] == recorded[1]


def _operations(jaxpr: Any) -> Iterator[Any]:
    """Yield the operations of a program, those of the functions that it calls included."""
    for each in jaxpr.eqns:
        yield each
        for value in each.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _operations(inner)
