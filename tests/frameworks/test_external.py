"""Networks that are not ours: of a zoo, or the user's; named as such, and counted by their framework."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlworkloads import models
from dlworkloads.opening import open_step
from pytest_throughput import Step, Unsupported

AXES: dict[str, Any] = {
    "mode": "inference",
    "device": "cpu",
    "batch_size": 2,
    "precision": "fp32",
    "threads": 1,
}
PYTORCH = {**AXES, "framework": "pytorch", "execution": "eager"}
TENSORFLOW = {**AXES, "framework": "tensorflow", "execution": "graph"}

IN_PYTORCH = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4, momentum=0.25)
        self.head = nn.Linear(4, classes)
        self.unused = nn.Linear(5, 5)
        self.frozen = nn.Parameter(torch.ones(7), requires_grad=False)

    def forward(self, images):
        return self.head(self.norm(self.conv(images)).relu().mean((2, 3)))

def build(case):
    return Net(10), (3, 9, 9)

def one_logit(case):
    return Net(1), [3, 9, 9]

def by_value(case):
    class ByValue(Net):
        def forward(self, images):
            return super().forward(images * float(images.sum().item() > 0))
    return ByValue(10), (3, 9, 9)

def image(case):
    return nn.Conv2d(3, 4, 3), (3, 9, 9)
"""
IN_KERAS = """
import keras
from keras import layers

def build(case):
    inner = keras.Sequential([layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(momentum=0.75)])
    return keras.Sequential([inner, layers.GlobalAveragePooling2D(), layers.Dense(10)]), (9, 9, 3)

def attention(case):
    tokens = keras.Input((6, 8))
    attended = layers.MultiHeadAttention(2, 4)(tokens, tokens)
    return keras.Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(attended))), (6, 8)

def loop(case):
    return keras.Sequential([layers.GRU(4), layers.Dense(2)]), (6, 8)
"""
NEUTRAL = """
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Dense
from dlworkloads.models.network import Network

def build(case):
    return Network("mine", (case.batch_size,), Sequential(Dense(5)))

def nothing(case):
    return None

def shapeless(case):
    return object(), "3x9x9"

unusable = 7
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Write the module ``mine`` of the user where a worker would find it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "mine.py").write_text(text)

    yield write
    sys.modules.pop("mine", None)


def facts_of(step: Step) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads(json.dumps(dict(step.metadata)))
    return metadata


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_function_may_give_a_neutral_network(user_module: Callable[[str], None], framework: str, mode: str) -> None:
    user_module(NEUTRAL)
    axes = PYTORCH if framework == "pytorch" else TENSORFLOW
    step = open_step(**{**axes, "mode": mode, "model": "mine:build"})
    step.wait(step.run())
    metadata = facts_of(step)
    assert (metadata["model"], metadata["parameters"]) == ("mine:build", 15)
    assert metadata["flops_per_image"] == (20 if mode == "inference" else 40)


def test_a_pytorch_module_is_measured_as_it_is(user_module: Callable[[str], None]) -> None:
    pytest.importorskip("torch")
    user_module(IN_PYTORCH)
    step = open_step(**{**PYTORCH, "model": "mine:build"})
    logits = step.run()
    assert logits.shape == (2, 10) and logits.is_inference()
    metadata = facts_of(step)
    assert metadata["model"] == "mine:build"
    assert metadata["parameters"] == 4 * 27 + 8 + 50 + 30
    assert metadata["flops_per_image"] == 2 * (7 * 7 * 4 * 27 + 40)
    assert step.build_seconds is not None and step.build_seconds > 0


def test_a_pytorch_module_trains(user_module: Callable[[str], None]) -> None:
    pytest.importorskip("torch")
    user_module(IN_PYTORCH)
    step = open_step(**{**PYTORCH, "mode": "training", "model": "mine:build"})
    output = step.run()
    loss, gradients = output
    assert step.check is not None and step.check(output) is None
    assert loss.requires_grad and len(gradients) == 7
    assert [float(gradient.norm()) > 0 for gradient in gradients[:5]] == [True] * 5
    assert gradients[5] is gradients[6] is None  # of what the logits do not depend on
    assert facts_of(step)["flops_per_image"] == 2 * (2 * 7 * 7 * 4 * 27 + 3 * 40)


def test_the_statistics_of_normalisations_are_those_of_a_batch(user_module: Callable[[str], None]) -> None:
    torch = pytest.importorskip("torch")
    user_module(IN_PYTORCH)
    import mine  # type: ignore[import-not-found]  # the user's

    net = mine.Net(10)
    mine.build = lambda case: (net, (3, 9, 9))
    open_step(**{**PYTORCH, "model": "mine:build"}).run()
    assert net.norm.momentum == 0.25 and not net.training
    assert not torch.equal(net.norm.running_mean, torch.zeros(4))


def test_one_logit_has_binary_labels(user_module: Callable[[str], None]) -> None:
    torch = pytest.importorskip("torch")
    user_module(IN_PYTORCH)
    loss, _ = open_step(**{**PYTORCH, "mode": "training", "model": "mine:one_logit"}).run()
    assert torch.isfinite(loss) and loss.item() > 0


def test_flops_that_cannot_be_counted_are_unknown(user_module: Callable[[str], None]) -> None:
    pytest.importorskip("torch")
    user_module(IN_PYTORCH)
    assert facts_of(open_step(**{**PYTORCH, "model": "mine:by_value"}))["flops_per_image"] is None


def test_the_hashes_of_different_external_networks_differ(user_module: Callable[[str], None]) -> None:
    pytest.importorskip("torch")
    user_module(IN_PYTORCH)
    hashes = [
        facts_of(open_step(**{**PYTORCH, "model": f"mine:{name}"}))["network_hash"]
        for name in ("build", "build", "one_logit")
    ]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_keras_model_is_measured_as_it_is(user_module: Callable[[str], None], mode: str) -> None:
    pytest.importorskip("tensorflow")
    user_module(IN_KERAS)
    step = open_step(**{**TENSORFLOW, "mode": mode, "model": "mine:build"})
    output = step.run()
    metadata = facts_of(step)
    assert metadata["parameters"] == 4 * 27 + 8 + 50
    forward = 2 * (7 * 7 * 4 * 27 + 40)
    if mode == "inference":
        assert tuple(output.shape) == (2, 10)
        assert metadata["flops_per_image"] == forward
    else:
        assert all(float(np.linalg.norm(gradient)) > 0 for gradient in output[1])
        assert metadata["flops_per_image"] == 3 * forward - 2 * 7 * 7 * 4 * 27


@pytest.mark.parametrize(("precision", "name"), [("bf16", "bfloat16"), ("fp16", "float16")])
def test_a_keras_model_is_built_in_the_precision(user_module: Callable[[str], None], precision: str, name: str) -> None:
    pytest.importorskip("tensorflow")
    user_module(IN_KERAS)
    step = open_step(**{**TENSORFLOW, "precision": precision, "model": "mine:build"})
    assert step.run().dtype.name == name


def test_attention_is_counted_and_a_loop_is_not(user_module: Callable[[str], None]) -> None:
    pytest.importorskip("tensorflow")
    user_module(IN_KERAS)
    attention = 2 * 6 * 8 * (4 * 8 + 2 * 6)
    assert facts_of(open_step(**{**TENSORFLOW, "model": "mine:attention"}))["flops_per_image"] == attention + 2 * 8 * 2
    assert facts_of(open_step(**{**TENSORFLOW, "model": "mine:loop"}))["flops_per_image"] is None


def test_a_keras_model_has_its_own_layout(user_module: Callable[[str], None]) -> None:
    pytest.importorskip("tensorflow")
    user_module(IN_KERAS)
    with pytest.raises(Unsupported, match="mine:build has a layout of its own: leave --layout out"):
        open_step(**{**TENSORFLOW, "layout": "nhwc", "model": "mine:build"})


@pytest.mark.parametrize(
    ("text", "model", "error", "message"),
    [
        (NEUTRAL, "mine:nothing", TypeError, "mine:nothing gave NoneType; expected a dlworkloads Network, or"),
        (NEUTRAL, "mine:shapeless", TypeError, "mine:shapeless gave tuple; expected a dlworkloads Network, or"),
        (NEUTRAL, "mine:unusable", ValueError, "the module mine .* has no function 'unusable'"),
        (NEUTRAL, "mine:absent", ValueError, "the module mine .* has no function 'absent'"),
        ("", "no_such_module:build", ImportError, "no_such_module"),
        ("def build(case): raise OSError('no disk')", "mine:build", OSError, "no disk"),
        (
            "def build(case): return object(), (3, 9, 9)",
            "mine:build",
            TypeError,
            "builtins.object, and PyTorch takes a torch",
        ),
        (IN_PYTORCH, "mine:image", TypeError, r"mine:image gives a tensor of shape \(1, 4, 7, 7\); expected logits"),
        ("", "resnet51", ValueError, "there is no model 'resnet51'"),
        (
            "",
            "keras:VGG16",
            Unsupported,
            "keras:VGG16 is a network of TensorFlow and Keras .*, and the framework is",
        ),
    ],
)
def test_what_is_no_network_is_refused(
    user_module: Callable[[str], None], text: str, model: str, error: type[Exception], message: str
) -> None:
    pytest.importorskip("torch")
    user_module(text)
    with pytest.raises(error, match=message):
        open_step(**{**PYTORCH, "model": model})


def test_keras_vgg16_is_ours() -> None:
    """In its parameters and its work; it has no dropout, which neither of them shows."""
    pytest.importorskip("tensorflow")
    ours = models.build("vgg16")
    for mode, flops in (("inference", ours.inference_flops), ("training", ours.training_flops)):
        metadata = facts_of(open_step(**{**TENSORFLOW, "mode": mode, "model": "keras:VGG16", "batch_size": 1}))
        assert (metadata["parameters"], metadata["flops_per_image"]) == (ours.parameter_count, flops)


def test_a_network_that_keras_does_not_have_is_refused_with_those_it_has() -> None:
    pytest.importorskip("tensorflow")
    with pytest.raises(
        ValueError, match=r"keras.applications has no network 'VGG61': it has .*, VGG16, VGG19, Xception"
    ):
        open_step(**{**TENSORFLOW, "model": "keras:VGG61"})


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet50", "resnet152", "vit_b_16"])
def test_torchvisions_networks_are_ours(name: str) -> None:
    pytest.importorskip("torchvision", exc_type=ImportError)
    ours = models.build(name)
    for mode, flops in (("inference", ours.inference_flops), ("training", ours.training_flops)):
        metadata = facts_of(open_step(**{**PYTORCH, "mode": mode, "model": f"torchvision:{name}"}))
        assert (metadata["parameters"], metadata["flops_per_image"]) == (ours.parameter_count, flops)


TORCHVISION = """
from types import SimpleNamespace
from torch import nn

def list_models(module):
    return ["googlenet", "tiny"]

def get_model_weights(name):
    return SimpleNamespace(DEFAULT=SimpleNamespace(transforms=lambda: SimpleNamespace(crop_size=[12])))

def get_model(name, *, weights, **given):
    assert weights is None
    assert given == ({"aux_logits": False, "init_weights": True} if name == "googlenet" else {})
    return nn.Sequential(nn.Conv2d(3, 2, 12), nn.Flatten())
"""


@pytest.fixture
def torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchvision with the functions that are used of it, since it need not be installed."""
    pytest.importorskip("torch")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision/__init__.py").touch()
    (tmp_path / "torchvision/models.py").write_text(TORCHVISION)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ["tiny", "googlenet"])
def test_a_network_of_torchvision_has_its_own_size(torchvision: None, name: str) -> None:
    step = open_step(**{**PYTORCH, "model": f"torchvision:{name}"})
    assert tuple(step.run().shape) == (2, 2)
    assert facts_of(step)["flops_per_image"] == 2 * 2 * math.prod((3, 12, 12))


def test_a_network_that_torchvision_does_not_have_is_refused(torchvision: None) -> None:
    with pytest.raises(ValueError, match="no classification network 'resnet51': it has googlenet, tiny"):
        open_step(**{**PYTORCH, "model": "torchvision:resnet51"})


def test_without_torchvision_its_networks_are_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from dlworkloads.external import pytorch

    monkeypatch.setattr(pytorch, "find_spec", lambda name: None)
    with pytest.raises(Unsupported, match="torchvision is not installed: pip install torchvision"):
        open_step(**{**PYTORCH, "model": "torchvision:resnet50"})
