"""Networks written by hand in PyTorch and Keras, to compare the suite's translations with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlworkloads import models
from dlworkloads.case import Case
from dlworkloads.models.network import Network, without_dropout


def vgg16_without_dropout(case: Case) -> Network:
    """Return our VGG16 without dropout, as Keras' VGG16 is."""
    return without_dropout(models.build("vgg16"))


def vgg16_in_pytorch(case: Case) -> Any:
    """Return VGG16 written by hand in PyTorch."""
    from torch import nn

    layers: list[Any] = []
    inputs = 3
    for count, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = channels
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(inplace=True), nn.Dropout()]
    layers += [nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers), (3, 224, 224)


def resnet50_in_pytorch(case: Case) -> Any:
    """Return ResNet-50 written by hand in PyTorch."""
    import torch
    from torch import nn

    class Bottleneck(nn.Module):  # type: ignore[misc]  # torch has no types here
        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(4 * width)
            self.relu = nn.ReLU(inplace=True)
            self.downsample = None
            if inputs != 4 * width:
                shortcut = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

        def forward(self, x: Any) -> Any:
            out = self.relu(self.bn1(self.conv1(x)))
            out = self.relu(self.bn2(self.conv2(out)))
            out = self.bn3(self.conv3(out))
            out += x if self.downsample is None else self.downsample(x)
            return self.relu(out)

    layers: list[Any] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    inputs = 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(count):
            layers.append(Bottleneck(inputs, width, 1 if block else stride))
            inputs = 4 * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)]
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return network, (3, 224, 224)


def mnist_cnn_in_keras(case: Case) -> Any:
    """Return the network of Keras' MNIST example."""
    import keras
    from keras import layers

    relu: Callable[..., Any] = keras.activations.relu
    network = [
        layers.Conv2D(32, 3, activation=relu),
        layers.Conv2D(64, 3, activation=relu),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(128, activation=relu),
        layers.Dropout(0.5),
        layers.Dense(10),
    ]
    return keras.Sequential([keras.Input((28, 28, 1)), *network]), (28, 28, 1)
