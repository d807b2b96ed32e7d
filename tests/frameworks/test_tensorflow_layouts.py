"""To which layout TensorFlow's graph optimiser converts convolutions, by its own rule."""

from __future__ import annotations

import pytest

from dlworkloads.case import Case

PASCAL, VOLTA, AMPERE = (6, 0), (7, 0), (8, 0)


def converted(
    precision: str,
    capability: tuple[int, int] | None,
    layout: str = "nhwc",
    mode: str = "training",
    execution: str = "graph",
) -> str | None:
    pytest.importorskip("tensorflow")
    from dlworkloads.frameworks.keras.tensorflow_layouts import converted_layout

    return converted_layout(Case(mode, "tensorflow", "cuda", "m", 8, precision, execution), layout, capability)


@pytest.mark.parametrize(
    ("precision", "mode", "capability", "preferred"),
    [
        ("fp32", "inference", AMPERE, "nchw"),
        ("fp32", "training", VOLTA, "nchw"),
        ("tf32", "inference", AMPERE, "nhwc"),
        ("tf32", "training", AMPERE, "nchw"),
        ("bf16", "training", AMPERE, "nhwc"),
        ("fp16", "training", VOLTA, "nhwc"),
        ("fp16", "inference", PASCAL, "nchw"),
    ],
)
def test_channels_are_last_where_tensor_cores_compute(
    precision: str, mode: str, capability: tuple[int, int], preferred: str
) -> None:
    for layout in ("nchw", "nhwc"):
        assert converted(precision, capability, layout, mode) == (None if layout == preferred else preferred)


def test_nothing_is_converted_on_a_cpu_and_outside_of_graphs() -> None:
    assert converted("fp32", None) is None
    assert converted("fp32", AMPERE, execution="eager") is None
    assert converted("fp32", AMPERE, execution="compiled") is None


def test_an_optimiser_that_is_switched_off_converts_nothing() -> None:
    optimiser = pytest.importorskip("tensorflow").config.optimizer
    optimiser.set_experimental_options({"layout_optimizer": False})
    try:
        assert converted("fp32", AMPERE) is None
    finally:
        optimiser.set_experimental_options({"layout_optimizer": True})
