"""The networks of the suite are the published ones, and different computations have different hashes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from dlworkloads import models
from dlworkloads.models.containers import Auxiliary, Parallel, Residual, Sequential
from dlworkloads.models.layers import Conv2d, Dense, Dropout, Flatten, MaxPool, ReLU
from dlworkloads.models.network import Network, without_dropout


@pytest.mark.parametrize(
    ("name", "input_shape", "parameters", "flops"),
    [
        # Parameters and FLOPs of torchvision's networks, counted by torch.utils.flop_counter.
        ("alexnet", (3, 224, 224), 61_100_840, 1_428_376_960),
        ("resnet50", (3, 224, 224), 25_557_032, 8_178_368_512),
        ("resnet152", (3, 224, 224), 60_192_808, 23_027_253_248),
        ("vgg16", (3, 224, 224), 138_357_544, 30_940_528_640),
        ("vit_b_16", (3, 224, 224), 86_567_656, 35_127_656_448),
        # Parameters of Caffe's bvlc_alexnet; FLOPs: 2 * (55*55*96*363 + 27*27*256*1200 + 13*13*(384*2304 + 384*1728
        # + 256*1728) + 9216*4096 + 4096*4096 + 4096*1000).
        ("alexnet_caffe", (3, 227, 227), 60_965_224, 1_448_813_632),
        # Parameters of Caffe's bvlc_googlenet without its auxiliary classifiers.
        ("googlenet", (3, 224, 224), 6_998_552, 3_165_343_744),
        # The same with them: each has a convolution of 512 or 528 channels to 128, and dense layers 2048-1024-1000.
        ("googlenet_caffe", (3, 224, 224), 13_378_280, 3_165_343_744),
        # Parameters of Keras' MNIST example; FLOPs: 2 * (26*26*32*9 + 24*24*64*288 + 9216*128 + 1280).
        ("mnist_cnn", (1, 28, 28), 1_199_882, 23_984_896),
        # 2 * (32*32*32*27 + 30*30*32*288 + 15*15*64*288 + 13*13*64*576 + 2304*512 + 512*10), or 512*100.
        ("cifar10_cnn", (3, 32, 32), 1_250_858, 41_482_240),
        ("cifar100_cnn", (3, 32, 32), 1_297_028, 41_574_400),
        # 2 * (16*50 + 50*22 + 22*26).
        ("letter_mlp", (16,), 2_570, 4_944),
        # The convolutions of VGG16, 30_693_261_312, and 2 * (25088*512 + 512*256 + 256), or 2 * (25088*4096 + 4096*2).
        ("dogcat_vgg16_keras", (3, 224, 224), 27_691_841, 30_719_214_080),
        ("dogcat_vgg16_pytorch", (3, 224, 224), 117_487_426, 30_898_798_592),
    ],
)
def test_parameters_and_flops(name: str, input_shape: tuple[int, ...], parameters: int, flops: int) -> None:
    network = models.build(name)
    assert network.name == name
    assert network.input_shape == input_shape
    assert network.parameter_count == parameters
    assert network.inference_flops == flops


def test_every_network_has_its_figures_asserted() -> None:
    (marker,) = (mark for mark in test_parameters_and_flops.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert sorted(name for name, *_ in marker.args[1]) == sorted(models.names())


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
        "alexnet_caffe": "3698d6d5fe4dc010",
        "cifar100_cnn": "50e42ab1f0dc647e",
        "cifar10_cnn": "404afaa56e24be31",
        "dogcat_vgg16_keras": "004b7e598e7f4b15",
        "dogcat_vgg16_pytorch": "d50d3ef3398cf586",
        "googlenet": "97d85e01ada13554",
        "googlenet_caffe": "6d38355bcf1632ba",
        "letter_mlp": "0e1898f368526708",
        "mnist_cnn": "7cd78da41474eb27",
        "resnet152": "96ffa0df85755b4f",
        "resnet50": "86ab8f05572d8683",
        "vgg16": "109f7eb772a92097",
        "vit_b_16": "151cdb92297293a6",
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


def test_a_network_for_inference_is_without_auxiliary_heads() -> None:
    """The operations are those of the network that never had any; only training has the heads'."""
    trained, deployed = models.build("googlenet_caffe"), models.build("googlenet")
    assert trained.for_inference() == replace(deployed, name="googlenet_caffe")
    assert trained.auxiliary_weights == (0.3, 0.3)
    assert deployed.auxiliary_weights == () and deployed.for_inference() is deployed
    dense = 2048 * 1024 + 1024 * 1000
    heads = [2 * (16 * channels * 128 + dense) for channels in (512, 528)]
    assert trained.training_flops - deployed.training_flops == 3 * sum(heads)
    suited = deployed.winograd_flops_share * deployed.inference_flops
    assert trained.winograd_flops_share == pytest.approx(suited / (deployed.inference_flops + sum(heads)))


def test_the_identity_of_an_auxiliary_head_needs_no_gradient() -> None:
    """The layer after it is still the first one with weights."""
    plain, headed = Sequential(Dense(2)), Sequential(Auxiliary(Dense(2, bias=False), 0.3), Dense(2))
    assert Network("headed", (5,), headed).training_flops == 2 * Network("plain", (5,), plain).training_flops


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no model 'vgg61': the known ones are alexnet, .*, vgg16, vit_b_16"):
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
