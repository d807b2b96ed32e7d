"""The networks of the suite are the published ones, and a hash tells one computation from another."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from dlworkloads import models
from dlworkloads.models.containers import Parallel, Residual, Sequential
from dlworkloads.models.layers import Conv2d, Dense, Dropout, Flatten, MaxPool, ReLU
from dlworkloads.models.network import Network, without_dropout


@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [
        # Parameters and FLOPs of torchvision's networks, counted by torch.utils.flop_counter.
        ("alexnet", 61_100_840, 1_428_376_960),
        ("vgg16", 138_357_544, 30_940_528_640),
        # Parameters of Keras' MNIST example; FLOPs: 2 * (26*26*32*9 + 24*24*64*288 + 9216*128 + 1280).
        ("mnist_cnn", 1_199_882, 23_984_896),
    ],
)
def test_parameters_and_flops(name: str, parameters: int, flops: int) -> None:
    network = models.build(name)
    assert network.name == name
    assert network.parameter_count == parameters
    assert network.flops_per_image == flops


@pytest.mark.parametrize("name", models.names())
def test_parameters_and_flops_are_those_of_the_translation(name: str) -> None:
    _assert_like_pytorch(models.build(name))


def test_parameters_and_flops_of_every_layer_are_those_of_the_translation(small_network: Network) -> None:
    _assert_like_pytorch(small_network)


def _assert_like_pytorch(network: Network) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from dlworkloads.frameworks.pytorch import translate

    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        module = translate(network.body, network.input_shape).eval()
        logits = module(torch.empty(1, *network.input_shape))
    assert network.outputs == logits.shape[1]
    assert network.flops_per_image == counter.get_total_flops()
    assert network.parameters == {path: tuple(value.shape) for path, value in module.named_parameters()}
    buffers = {path: tuple(value.shape) for path, value in module.named_buffers()}
    assert network.buffers == {path: shape for path, shape in buffers.items() if "num_batches" not in path}


def test_parameters_have_paths() -> None:
    network = Network(
        "small",
        (3, 8, 8),
        Sequential(
            Conv2d(4, 1),
            Residual(Sequential(Conv2d(4, 3, padding=1, bias=False))),
            Flatten(),
            Dense(2, bias=False),
        ),
    )
    assert list(network.parameters.items()) == [
        ("0.weight", (4, 3, 1, 1)),
        ("0.bias", (4,)),
        ("1.body.0.weight", (4, 4, 3, 3)),
        ("3.weight", (2, 256)),
    ]


def test_a_hash_stays_what_it_is() -> None:
    """Results are compared by it: if this fails, every stored baseline is void."""
    assert {name: models.build(name).hash for name in models.names()} == {
        "alexnet": "c347a901d2aa8717",
        "mnist_cnn": "7cd78da41474eb27",
        "vgg16": "109f7eb772a92097",
    }


BODY = Sequential(
    Conv2d(4, 3),
    ReLU(),
    MaxPool(2, 2),
    Parallel(Conv2d(4, 1), Conv2d(4, 1)),
    Dropout(0.5),
    Flatten(),
    Dense(1),
)
NETWORK = Network("plain", (3, 8, 8), BODY)


@pytest.mark.parametrize(
    "other",
    [
        replace(NETWORK, input_shape=(3, 9, 9)),
        replace(NETWORK, loss="binary_cross_entropy"),
        *(
            replace(NETWORK, body=Sequential(*BODY.layers[:index], layer, *BODY.layers[index + 1 :]))
            for index, layer in [
                (0, Conv2d(4, 3, bias=False)),
                (0, Conv2d(4, 3, padding=1)),
                (0, Sequential(Conv2d(4, 3))),
                (2, MaxPool(2, 2, ceil_mode=True)),
                (3, Parallel(Conv2d(4, 1))),
                (3, Parallel(Conv2d(4, 1), Conv2d(5, 1))),
                (4, Dropout(0.4)),
            ]
        ),
    ],
)
def test_a_hash_changes_with_the_work(other: Network) -> None:
    assert other.hash != NETWORK.hash


def test_a_hash_does_not_change_with_the_name_or_the_way_of_writing() -> None:
    body = Sequential(Conv2d(4, (3, 3), (1, 1), padding=(0, 0)), *BODY.layers[1:])
    assert replace(NETWORK, name="renamed", body=body).hash == NETWORK.hash
    assert without_dropout(NETWORK).hash == replace(without_dropout(NETWORK)).hash != NETWORK.hash


def test_without_dropout_keeps_paths_and_drops_nothing(small_network: Network) -> None:
    quiet = without_dropout(small_network)
    assert quiet.parameters == small_network.parameters
    assert {layer.rate for _, layer, _, _ in quiet.walk() if isinstance(layer, Dropout)} <= {0.0}


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no model 'vgg61': the known ones are alexnet, mnist_cnn, vgg16"):
        models.build("vgg61")


def test_models_need_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; from dlworkloads import models; [models.build(name) for name in models.names()]; "
        "print([name for name in ('numpy', 'torch', 'tensorflow', 'keras') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"
