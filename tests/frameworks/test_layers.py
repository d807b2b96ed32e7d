"""Neutral layers have the shapes, parameters and floating-point operations of PyTorch's modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlworkloads.models.layers import AveragePool, Conv2d, MaxPool, Shape, ShapeError

windows = st.fixed_dictionaries(
    {
        "size": st.tuples(st.integers(1, 20), st.integers(1, 20)),
        "kernel": st.integers(1, 7),
        "stride": st.integers(1, 5),
        "padding": st.integers(0, 3),
    }
)


def _outcome(function: Callable[..., Any], *arguments: Any) -> Shape | None:
    """Return the shape from PyTorch or a layer, or None where it refuses."""
    try:
        return tuple(function(*arguments))
    except (RuntimeError, ShapeError):
        return None


@settings(max_examples=300, deadline=None)
@given(windows, st.booleans())
def test_max_pool_has_the_shape_of_pytorchs(window: dict[str, Any], ceil_mode: bool) -> None:
    torch = pytest.importorskip("torch")
    size, kernel, stride = window["size"], window["kernel"], window["stride"]
    padding = min(window["padding"], kernel // 2)
    images = torch.empty(1, 2, *size, device="meta")
    expected = _outcome(
        lambda: torch.nn.functional.max_pool2d(images, kernel, stride, padding, ceil_mode=ceil_mode).shape[1:]
    )
    assert _outcome(MaxPool(kernel, stride, padding, ceil_mode).output_shape, (2, *size)) == expected


@settings(max_examples=200, deadline=None)
@given(windows)
def test_average_pool_has_the_shape_of_pytorchs(window: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    size, kernel, stride = window["size"], window["kernel"], window["stride"]
    padding = min(window["padding"], kernel // 2)
    images = torch.empty(1, 2, *size, device="meta")
    expected = _outcome(lambda: torch.nn.functional.avg_pool2d(images, kernel, stride, padding).shape[1:])
    assert _outcome(AveragePool(kernel, stride, padding).output_shape, (2, *size)) == expected


@settings(max_examples=200, deadline=None)
@given(windows, st.sampled_from([(4, 6, 1), (4, 6, 2), (3, 9, 3)]))
def test_convolution_has_the_shape_parameters_and_flops_of_pytorchs(
    window: dict[str, Any], channels_and_groups: tuple[int, int, int]
) -> None:
    torch = pytest.importorskip("torch")
    flop_counter = pytest.importorskip("torch.utils.flop_counter")
    size, kernel, stride, padding = window["size"], window["kernel"], window["stride"], window["padding"]
    before, after, groups = channels_and_groups
    layer = Conv2d(after, (kernel, 2), stride, padding, groups)
    with torch.device("meta"):
        module = torch.nn.Conv2d(before, after, (kernel, 2), stride, padding, groups=groups)
        images = torch.empty(1, before, *size)
    with flop_counter.FlopCounterMode(display=False) as counter:
        expected = _outcome(lambda: module(images).shape[1:])
    assert _outcome(layer.output_shape, (before, *size)) == expected
    assert layer.parameters((before, *size)) == {n: tuple(p.shape) for n, p in module.named_parameters()}
    if expected:
        assert layer.flops((before, *size)) == counter.get_total_flops()
