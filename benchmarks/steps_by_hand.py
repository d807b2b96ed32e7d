"""Steps written by hand in JAX, to compare the suite's translation with: a network is not an object there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from dlworkloads.case import Case
from pytest_throughput import Step


def vgg16_in_jax(case: Case) -> Step:
    """Return a step of VGG16 written by hand in JAX."""
    import jax
    from jax import numpy as jnp

    sizes: list[tuple[int, ...]] = []
    inputs = 3
    for channels in (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512):
        sizes.append((3, 3, inputs, channels))
        inputs = channels
    sizes += [(25088, 4096), (4096, 4096), (4096, 1000)]

    def forward(parameters: Any, x: Any, keys: Any) -> Any:
        layers = iter(parameters)
        for count in (2, 2, 3, 3, 3):
            for _ in range(count):
                x = jax.nn.relu(_convolve_in_jax(x, next(layers), "SAME"))
            x = _max_pool_in_jax(x)
        x = x.reshape(x.shape[0], -1)
        for index in range(2):
            weight, bias = next(layers)
            x = jax.nn.relu(x @ weight + bias)
            if keys is not None:
                x = jnp.where(jax.random.bernoulli(keys[index], 0.5, x.shape), x / 0.5, 0)
        weight, bias = next(layers)
        return x @ weight + bias

    return _step_in_jax(case, sizes, (224, 224, 3), 1000, forward)


def mnist_cnn_in_jax(case: Case) -> Step:
    """Return a step of the network of Keras' MNIST example, written by hand in JAX."""
    import jax
    from jax import numpy as jnp

    def forward(parameters: Any, x: Any, keys: Any) -> Any:
        first, second, (weight, bias), (last_weight, last_bias) = parameters
        x = jax.nn.relu(_convolve_in_jax(x, first, "VALID"))
        x = _max_pool_in_jax(jax.nn.relu(_convolve_in_jax(x, second, "VALID")))
        if keys is not None:
            x = jnp.where(jax.random.bernoulli(keys[0], 0.75, x.shape), x / 0.75, 0)
        x = jax.nn.relu(x.reshape(x.shape[0], -1) @ weight + bias)
        if keys is not None:
            x = jnp.where(jax.random.bernoulli(keys[1], 0.5, x.shape), x / 0.5, 0)
        return x @ last_weight + last_bias

    sizes: list[tuple[int, ...]] = [(3, 3, 1, 32), (3, 3, 32, 64), (9216, 128), (128, 10)]
    return _step_in_jax(case, sizes, (28, 28, 1), 10, forward)


def _convolve_in_jax(x: Any, layer: Any, padding: str) -> Any:
    from jax import lax

    kernel, bias = layer
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias


def _max_pool_in_jax(x: Any) -> Any:
    from jax import lax

    return lax.reduce_window(x, -math.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _step_in_jax(
    case: Case, sizes: Sequence[tuple[int, ...]], shape: tuple[int, ...], classes: int, forward: Callable[..., Any]
) -> Step:
    """Return the step of a function of parameters, images and two keys for dropout, as its author would time it."""
    import jax
    from jax import numpy as jnp

    drawn = jax.random.split(jax.random.key(1), len(sizes) + 2)
    parameters = [
        (jax.random.normal(key, size) * math.sqrt(2 / math.prod(size[:-1])), jnp.zeros(size[-1]))
        for key, size in zip(drawn[2:], sizes, strict=True)
    ]
    images = jax.random.normal(drawn[0], (case.batch_size, *shape))
    labels = jax.random.randint(drawn[1], (case.batch_size,), 0, classes)
    key = jax.random.key(2)

    def train(parameters: Any, key: Any, images: Any, labels: Any) -> Any:
        key, *keys = jax.random.split(key, 3)

        def loss(parameters: Any) -> Any:
            likely = jax.nn.log_softmax(forward(parameters, images, keys))
            return -jnp.take_along_axis(likely, labels[:, None], 1).mean()

        return jax.value_and_grad(loss)(parameters), key

    def infer(parameters: Any, images: Any) -> Any:
        return forward(parameters, images, None)

    function: Any = infer if case.mode == "inference" else train
    if case.execution == "compiled":
        function = jax.jit(function)

    def run() -> Any:
        nonlocal key
        if case.mode == "inference":
            return function(parameters, images)
        gradients, key = function(parameters, key, images, labels)
        return gradients

    return Step(run, jax.block_until_ready)
