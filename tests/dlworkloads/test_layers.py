"""Shapes, parameters and floating-point operations of neutral layers."""

from __future__ import annotations

import pytest

from dlworkloads.models.containers import Auxiliary, Parallel, Residual, Sequential
from dlworkloads.models.layers import (
    BatchNorm,
    ClassToken,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    SelfAttention,
    Shape,
    ShapeError,
    TakeToken,
    Tokens,
)
from dlworkloads.models.network import Network


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


def test_an_auxiliary_head_gives_the_logits_of_the_network() -> None:
    with pytest.raises(ShapeError, match=r"^two: the head of layer 0 gives \(3,\), and the network \(2,\)$"):
        Network("two", (5,), Sequential(Auxiliary(Dense(3), 0.3), Dense(2)))


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (Sequential(Sequential(Auxiliary(Dense(2), 0.3)), Dense(2)), "0.0"),
        (Residual(Dense(2), Sequential(Auxiliary(Dense(2), 0.3), Dense(2))), "shortcut.0"),
        (Sequential(Auxiliary(Sequential(Auxiliary(Dense(2), 0.3), Dense(2)), 0.3), Dense(2)), "0.head.0"),
    ],
)
def test_an_auxiliary_head_elsewhere_is_refused(body: Layer, place: str) -> None:
    with pytest.raises(ValueError, match=f"^odd: layer {place}: Auxiliary is a layer of the outermost"):
        Network("odd", (5,), body)


def test_local_response_norm_reaches_as_far_on_both_sides() -> None:
    with pytest.raises(ValueError, match=r"odd.* is 4"):
        LocalResponseNorm(4)
