"""Networks, frameworks, and how two frameworks are compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from networks import (
    SMALL_NETWORKS,
    TESTED_FRAMEWORK,
    THREADS,
    for_small_images,
    frameworks_to_test,
    in_mode,
    open_workload,
    random_weights,
)

from dlworkloads import models
from dlworkloads.base.workload import Workload
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.network import Network, without_dropout
from dlworkloads.opening import import_workload

# Most of the time of a test of JAX is XLA's; in this way it compiles in half of that.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")


@pytest.fixture(params=SMALL_NETWORKS)
def small_network(request: pytest.FixtureRequest) -> Network:
    """Each of the small networks in turn."""
    return SMALL_NETWORKS[request.param]()


@pytest.fixture
def weights(small_network: Network) -> dict[str, np.ndarray]:
    """Weights for the small network."""
    return random_weights(small_network)


_LARGE = tuple(name for name in models.names() if models.build(name).input_shape[-1] >= 224)
_IN_FULL = "googlenet"
"""The one large network that every test run opens at its full width; the others' are marked slow."""
_NARROWING = {"vit_b_16": 4}
"""Divisors of the width, where 8 does not suit: the heads of the ViT then have 16 features, whose root is exact."""
_AS_ANOTHER = ("resnet152",)
"""Networks of the blocks of another one, in larger numbers: Keras takes seconds to build them."""


@pytest.fixture(
    params=[
        *(
            pytest.param((name, False), id=name, marks=pytest.mark.slow if name in _AS_ANOTHER else ())
            for name in models.names()
        ),
        *(
            pytest.param((name, True), id=f"{name}-in_full", marks=() if name == _IN_FULL else pytest.mark.slow)
            for name in _LARGE
        ),
    ]
)
def suite_network(request: pytest.FixtureRequest) -> Network:
    """Each network of the suite; the large ones for small images, with an eighth of their width and in full."""
    name, in_full = request.param
    network = models.build(name)
    if name not in _LARGE:
        return network
    return for_small_images(network, 1 if in_full else _NARROWING.get(name, 8))


@pytest.fixture(params=frameworks_to_test())
def framework(request: pytest.FixtureRequest) -> str:
    """Each framework in turn, as far as it is installed; not the NumPy reference."""
    for module in FRAMEWORKS[request.param].modules:
        # Importing Keras would choose its backend.
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    return str(request.param)


@pytest.fixture(name="open_workload")
def _open_workload() -> Callable[..., Workload]:
    """Open a network in a framework. Nothing closes it: small networks may wait for the garbage collector."""
    return open_workload


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Keras compute in float64 on PyTorch and on JAX, where it otherwise reduces every promoted type to 32 bits.

    Weights begin as zeros: they are loaded, and JAX would compile a generator for each of their shapes.
    """
    tested = os.environ.get(TESTED_FRAMEWORK)
    if tested is None:
        return
    known = FRAMEWORKS[tested]
    import_workload(known, Case("inference", tested, "cpu", "tiny", 2, "fp64", known.default_execution), THREADS)
    dtypes = import_module("keras.src.backend.common.dtypes")
    translation = import_module("dlworkloads.frameworks.keras.translation")
    monkeypatch.setattr(translation.Translation, "_he_normal", lambda self: "zeros")
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")


@pytest.fixture
def assert_agreement() -> Callable[..., None]:
    """Assert that a framework computes what PyTorch computes on the CPU; options are those of `open_workload`."""
    pytest.importorskip("torch")
    return _assert_agreement


def _assert_agreement(
    framework: str,
    network: Network,
    mode: str,
    bound: float,
    *,
    precision: str = "fp64",
    batch_size: int = 3,
    **options: Any,
) -> None:
    """Assert that each tensor is as near to the reference's as ``bound``, relative to the norm of the reference's."""
    network = without_dropout(in_mode(network, mode))
    weights = random_weights(network)
    read = []
    for each, given in ((framework, options), ("pytorch", {})):
        workload = open_workload(each, network, mode, precision=precision, batch_size=batch_size, **given)
        workload.load(weights)
        read.append(workload.read(workload.run()))
    assert list(read[0]) == list(read[1]) == (["logits"] if mode == "inference" else ["loss", *network.parameters])
    assert [value.shape for value in read[0].values()] == [value.shape for value in read[1].values()]
    distances = {
        name: float(np.linalg.norm(read[0][name] - value) / np.linalg.norm(value)) for name, value in read[1].items()
    }
    assert {name: distance for name, distance in distances.items() if not distance <= bound} == {}
