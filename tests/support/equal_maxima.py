"""The gradient of a maximum that several values of a window share, as old frameworks have it, for PyTorch's pools."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dlworkloads.models.layers import pair

__all__ = ["to_every_maximum"]


def to_every_maximum(workload: Any) -> None:
    """Have PyTorch's max pools give the gradient to each of several equal maxima in a window, as those of Caffe2 do.

    So do Theano's. PyTorch gives it to the first one alone. Where pools overlap and follow each other, as in GoogLeNet,
    many are equal.
    """
    from torch import nn

    for module in workload.model.modules():
        if isinstance(module, nn.MaxPool2d):
            module.forward = partial(_pooled_to_every_maximum, module, module.forward)


def _pooled_to_every_maximum(pool: Any, pooled: Callable[[Any], Any], x: Any) -> Any:
    """Return the largest values of the windows of ``x``; its gradient is that of the sum of all maxima of a window."""
    from torch.nn import functional

    largest = pooled(x).detach()
    kernel, stride, padding = map(pair, (pool.kernel_size, pool.stride, pool.padding))
    pads: list[int] = []
    for side in (1, 0):
        end = (largest.shape[2 + side] - 1) * stride[side] + kernel[side]
        pads += (padding[side], max(0, end - x.shape[2 + side] - padding[side]))
    windows = functional.pad(x, pads, value=-1e30)
    for side in (0, 1):
        windows = windows.unfold(2 + side, kernel[side], stride[side])
    windows = windows[:, :, : largest.shape[2], : largest.shape[3]]
    least = (largest - 1e-12 * largest.abs())[..., None, None]
    maxima = (windows * (windows >= least)).sum((-2, -1))
    return largest + maxima - maxima.detach()
