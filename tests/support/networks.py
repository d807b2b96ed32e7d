"""Small networks that together contain every neutral layer, and a function to open networks in any framework."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from dlworkloads.base.workload import Workload
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Auxiliary, Parallel, Residual, Sequential, rebuilt
from dlworkloads.models.layers import (
    GELU,
    AveragePool,
    BatchNorm,
    ClassToken,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    MaxPool,
    PositionEmbedding,
    ReLU,
    SelfAttention,
    TakeToken,
    Tokens,
)
from dlworkloads.models.network import Network
from dlworkloads.opening import import_workload
from dlworkloads.optimisers import Optimiser

THREADS = 1

# As in OpenVINO's workload, which a test imports only after OpenVINO: it shall send no message.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

TESTED_FRAMEWORK = "TESTED_FRAMEWORK"
"""The variable that names the only framework to test in this process."""


def frameworks_to_test() -> list[str]:
    """Return the frameworks that a test of every framework is for: those measured by default, or the only one."""
    only = os.environ.get(TESTED_FRAMEWORK)
    return [only] if only else [name for name, known in FRAMEWORKS.items() if known.by_default]


def vgg_like() -> Network:
    """Return a network of convolutions, pools and a dense classifier, with a first convolution as AlexNet's."""
    return Network(
        "vgg_like",
        (3, 35, 31),
        Sequential(
            Conv2d(8, 5, stride=2, padding=2),
            ReLU(),
            Conv2d(8, 3, padding=1),
            ReLU(),
            MaxPool(2, 2),
            Conv2d(16, (1, 3), padding=(0, 1)),
            ReLU(),
            MaxPool(3, 2),
            Flatten(),
            Dropout(0.5),
            Dense(32),
            ReLU(),
            Dropout(0.5),
            Dense(10),
        ),
    )


def googlenet_like() -> Network:
    """Return a network with the parts of GoogLeNet: ceil-mode pools, local response normalisation, inception."""
    inception = Parallel(
        Sequential(Conv2d(4, 1), ReLU()),
        Sequential(Conv2d(6, 1), ReLU(), Conv2d(8, 3, padding=1), ReLU()),
        Sequential(Conv2d(2, 1), ReLU(), Conv2d(4, 5, padding=2), ReLU()),
        Sequential(MaxPool(3, 1, padding=1), Conv2d(4, 1), ReLU()),
    )
    return Network(
        "googlenet_like",
        (3, 42, 42),
        Sequential(
            Conv2d(8, 7, stride=2, padding=3),
            ReLU(),
            MaxPool(3, 2, ceil_mode=True),
            LocalResponseNorm(5, alpha=0.1),
            Conv2d(8, 1),
            ReLU(),
            LocalResponseNorm(3, alpha=0.1, beta=0.5, k=2.0),
            inception,
            MaxPool(3, 2, padding=1, ceil_mode=True),
            AveragePool(3, 1, padding=1),
            AveragePool(2, 2),
            GlobalAveragePool(),
            Dropout(0.4),
            Dense(10),
        ),
    )


def resnet_like() -> Network:
    """Return a network of bottlenecks with a projection and with an identity, groups, and one output."""

    def bottleneck(stride: int, groups: int) -> Sequential:
        return Sequential(
            Conv2d(8, 1, bias=False),
            BatchNorm(),
            ReLU(),
            Conv2d(8, 3, stride=stride, padding=1, groups=groups, bias=False),
            BatchNorm(),
            ReLU(),
            Conv2d(16, 1, bias=False),
            BatchNorm(),
        )

    return Network(
        "resnet_like",
        (3, 32, 32),
        Sequential(
            Conv2d(8, 7, stride=2, padding=3, bias=False),
            BatchNorm(),
            ReLU(),
            MaxPool(3, 2, padding=1),
            Residual(bottleneck(2, 1), Sequential(Conv2d(16, 1, stride=2, bias=False), BatchNorm())),
            ReLU(),
            Residual(bottleneck(1, 2)),
            ReLU(),
            GlobalAveragePool(),
            Dense(1),
        ),
        loss="binary_cross_entropy",
    )


def vit_like() -> Network:
    """Return a network with patches, tokens and two encoder blocks.

    A head has 4 features because Keras takes the square root of their number in float32, in float64 networks, too.
    """
    block = (
        Residual(Sequential(LayerNorm(), SelfAttention(4), Dropout(0.1))),
        Residual(Sequential(LayerNorm(), Dense(48), GELU(), Dropout(0.1), Dense(16), Dropout(0.1))),
    )
    return Network(
        "vit_like",
        (3, 16, 24),
        Sequential(
            Conv2d(16, 8, stride=8),
            Tokens(),
            ClassToken(),
            PositionEmbedding(),
            Dropout(0.1),
            *block,
            *block,
            LayerNorm(),
            TakeToken(0),
            Dense(10),
        ),
    )


def mlp() -> Network:
    """Return a network of features with both normalisations, and a residual whose body ends in a ReLU."""
    return Network(
        "mlp",
        (16,),
        Sequential(
            Dense(24, bias=False),
            BatchNorm(),
            ReLU(),
            Residual(Sequential(Dense(24), ReLU())),
            LayerNorm(1e-5),
            Dense(5, bias=False),
        ),
    )


def flattened_in_order() -> Network:
    """Return a network that normalises flattened features before the dense layer, so that their order matters."""
    return Network("flattened_in_order", (2, 5, 4), Sequential(Conv2d(6, 2), Flatten(), LayerNorm(), Dense(4)))


def with_auxiliary_heads() -> Network:
    """Return a network with an auxiliary head as GoogLeNet has it, and one between a convolution and its ReLU."""
    head = Sequential(AveragePool(5, 3), Conv2d(4, 1), ReLU(), Flatten(), Dense(12), ReLU(), Dropout(0.7), Dense(6))
    return Network(
        "with_auxiliary_heads",
        (3, 24, 21),
        Sequential(
            Conv2d(8, 3, stride=2, padding=1),
            ReLU(),
            Auxiliary(head, 0.3),
            Conv2d(8, 3, padding=1),
            Auxiliary(Sequential(BatchNorm(), ReLU(), GlobalAveragePool(), Dense(6)), 0.5),
            ReLU(),
            MaxPool(3, 2),
            Flatten(),
            Dense(6),
        ),
    )


SMALL_NETWORKS = {
    build.__name__: build
    for build in (vgg_like, googlenet_like, resnet_like, vit_like, mlp, flattened_in_order, with_auxiliary_heads)
}


def narrow(layer: Layer, by: int) -> Layer:
    """Divide the channels of every convolution and the units of every dense layer; a few classes stay as they are."""
    if isinstance(layer, Conv2d):
        return replace(layer, channels=layer.channels // by)
    if isinstance(layer, Dense):
        return replace(layer, units=layer.units // by or layer.units)
    return rebuilt(layer, lambda each: narrow(each, by))


def for_small_images(network: Network, by: int) -> Network:
    """Return a large network with a part of its width, for images of 75 by 75, or 88 where a pool needs more."""
    size = 88 if network.auxiliary_weights else 75
    return replace(network, input_shape=(3, size, size), body=narrow(network.body, by))


def in_mode(network: Network, mode: str) -> Network:
    """Return the network that a mode computes."""
    return network.for_inference() if mode == "inference" else network


def open_workload(
    framework: str,
    network: Network,
    mode: str,
    *,
    precision: str = "fp32",
    execution: str | None = None,
    layout: str | None = None,
    batch_size: int = 3,
    device: str = "cpu",
    optimiser: Optimiser | None = None,
) -> Workload:
    """Open a network in a framework, as a case does; skip the test where the framework is not installed."""
    if isinstance(network, Network):
        network = in_mode(network, mode)
    known = FRAMEWORKS[framework]
    for module in known.modules:
        pytest.importorskip(module)
    execution = execution or known.default_execution
    case = Case(mode, framework, device, network.name, batch_size, precision, execution, layout)
    kind = import_workload(known, case, THREADS)
    kind.prepare(case, THREADS)
    return kind(case, network, optimiser)


def random_weights(network: Network) -> dict[str, np.ndarray]:
    """Return weights and running statistics none of which is zero, unlike initial biases."""
    generator = np.random.default_rng(7)
    weights = {}
    for path, shape in {**network.parameters, **network.buffers}.items():
        if path.endswith("running_var"):
            weights[path] = generator.uniform(0.5, 2.0, shape)
        else:
            fan_in = int(np.prod(shape[1:])) or 1
            weights[path] = generator.standard_normal(shape) / np.sqrt(fan_in)
    return weights
