"""Shapes, parameters and floating-point operations of neutral layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlworkloads.models.containers import Parallel, Residual, Sequential
from dlworkloads.models.layers import (
    AveragePool,
    BatchNorm,
    ClassToken,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    MaxPool,
    SelfAttention,
    Shape,
    ShapeError,
    TakeToken,
    Tokens,
)
from dlworkloads.models.network import Network

windows = st.fixed_dictionaries(
    {
        "size": st.tuples(st.integers(1, 20), st.integers(1, 20)),
        "kernel": st.integers(1, 7),
        "stride": st.integers(1, 5),
        "padding": st.integers(0, 3),
    }
)


def _outcome(function: Callable[..., Any], *arguments: Any) -> Shape | None:
    """What PyTorch or a layer gives, or None where it refuses."""
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


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            Conv2d(4, 3),
            (10,),
            r"Conv2d\(channels=4, kernel=3.* takes \(channels, height, width\).* given \(10,\)",
        ),
        (Conv2d(4, 5), (3, 4, 9), r"window that does not fit .* given \(3, 4, 9\)"),
        (Conv2d(4, 3, groups=2), (3, 9, 9), r"multiples of its groups.* given \(3, 9, 9\)"),
        (Dense(4), (3, 9, 9), r"takes \(features\) or \(tokens, features\).* given \(3, 9, 9\)"),
        (BatchNorm(), (5, 6), r"takes \(features\) or \(channels, height, width\).* given \(5, 6\)"),
        (LayerNorm(), (3, 9, 9), r"given \(3, 9, 9\)"),
        (Flatten(), (5, 6), r"given \(5, 6\)"),
        (Tokens(), (5,), r"given \(5,\)"),
        (ClassToken(), (5,), r"takes \(tokens, features\)"),
        (TakeToken(5), (5, 6), r"at least 6 tokens.* given \(5, 6\)"),
        (SelfAttention(4), (5, 6), r"multiples of its heads.* given \(5, 6\)"),
        (LocalResponseNorm(5), (5, 6), r"given \(5, 6\)"),
        (Residual(Dense(4)), (5,), r"its body gives \(4,\) and its shortcut \(5,\)"),
        (Parallel(Conv2d(4, 3), Conv2d(4, 1)), (3, 9, 9), r"branches give \[\(4, 7, 7\), \(4, 9, 9\)\]"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_what_was_given(layer: Layer, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        layer.output_shape(shape)


def test_an_error_names_the_network_and_the_place() -> None:
    body = Sequential(Conv2d(4, 3), Residual(Sequential(Flatten(), Conv2d(4, 3))))
    with pytest.raises(ShapeError, match=r"^odd: layer 1\.body\.1: Conv2d"):
        Network("odd", (3, 9, 9), body)


def test_a_network_must_give_what_its_loss_takes() -> None:
    with pytest.raises(ShapeError, match=r"cross_entropy takes \(classes,\), but the last layer gives \(4, 7, 7\)"):
        Network("image", (3, 9, 9), Conv2d(4, 3))
    with pytest.raises(ShapeError, match=r"binary_cross_entropy takes \(1,\).* gives \(2,\)"):
        Network("two", (3,), Dense(2), loss="binary_cross_entropy")
    with pytest.raises(ValueError, match="'hinge' is not one of cross_entropy, binary_cross_entropy"):
        Network("hinge", (3,), Dense(2), loss="hinge")


def test_local_response_norm_reaches_as_far_on_both_sides() -> None:
    with pytest.raises(ValueError, match=r"odd.* is 4"):
        LocalResponseNorm(4)
