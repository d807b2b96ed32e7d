"""A translation does the work that the neutral network says, neither more nor less."""

from __future__ import annotations

from typing import Any

import pytest
from networks import open_workload

from dlworkloads import models
from dlworkloads.models.network import Network


@pytest.mark.parametrize("name", models.names())
def test_parameters_and_flops_are_those_of_the_translation(name: str) -> None:
    _assert_like_pytorch(models.build(name))


def test_tensorflows_graph_of_a_step_does_no_other_work(suite_network: Network) -> None:
    _assert_like_tensorflow(suite_network)


@pytest.mark.slow
@pytest.mark.parametrize("name", models.names())
def test_tensorflows_graph_does_no_other_work_at_the_size_that_is_measured(name: str) -> None:
    _assert_like_tensorflow(models.build(name))


def _assert_like_tensorflow(network: Network) -> None:
    pytest.importorskip("tensorflow")
    if _has_groups(network):
        pytest.skip("on a CPU, Keras gives grouped convolutions to XLA, and the graph does not show their sizes")
    from dlworkloads.external.tensorflow import flops_per_image

    workload: Any = open_workload("tensorflow", network, "training", execution="eager", batch_size=1)
    translation = workload._parameters
    channels, *size = network.input_shape
    assert flops_per_image(translation.inference_model, (*size, channels), "inference") == network.inference_flops
    assert flops_per_image(translation.model, (*size, channels), "training") == network.training_flops


def _has_groups(network: Network) -> bool:
    return any(getattr(layer, "groups", 1) > 1 for _, layer, _, _ in network.walk())


def test_parameters_and_flops_of_every_layer_are_those_of_the_translation(small_network: Network) -> None:
    _assert_like_pytorch(small_network)


def _assert_like_pytorch(network: Network) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from dlworkloads.frameworks.pytorch.translation import translate

    with torch.device("meta"):
        module = translate(network.body, network.input_shape)
        images = torch.empty(2, *network.input_shape)
    with FlopCounterMode(display=False) as inference:
        logits = module.eval()(images)
    assert network.outputs == logits.shape[1]
    assert 2 * network.inference_flops == inference.get_total_flops()
    if _has_groups(network):
        return  # in the gradients of a grouped convolution's weights, torch's counter forgets the groups
    with FlopCounterMode(display=False) as training:
        found = module.train()(images)
        outputs = found if network.auxiliary_weights else [found]
        torch.autograd.grad([each.sum() for each in outputs], list(module.parameters()))
    assert 2 * network.training_flops == training.get_total_flops()
    assert network.parameters == {path: tuple(value.shape) for path, value in module.named_parameters()}
    buffers = {path: tuple(value.shape) for path, value in module.named_buffers()}
    assert network.buffers == {path: shape for path, shape in buffers.items() if "num_batches" not in path}
