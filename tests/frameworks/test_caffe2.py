"""Caffe2 computes what PyTorch computes: outputs, loss, every gradient, and the weights after updates.

Everything runs in one process of the interpreter of ``nox -s env-caffe2``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import pytest
from equal_maxima import to_every_maximum
from float32_agreement import (
    SMALL,
    SUITE,
    UPDATES,
    Key,
    assert_agreement,
    assert_follows_the_formulas,
    jobs_of,
    jobs_of_updates,
    of_suite,
)
from networks import with_auxiliary_heads
from old_frameworks import Answer, Job, interpreter_of, run_jobs

from dlworkloads.models.network import Network, without_dropout

SUPPORTED_UPDATES = [name for name, each in UPDATES.items() if each.algorithm in ("sgd", "adadelta")]
NETWORKS: Mapping[str, Callable[[], Network]] = {
    **SMALL,
    "with_auxiliary_heads": lambda: without_dropout(with_auxiliary_heads()),
}
IN_MODES = pytest.mark.parametrize("mode", ["inference", "training"])

JOBS: Mapping[str, Callable[[], dict[Key, Job]]] = {
    "small": lambda: {
        **jobs_of({name: build() for name, build in NETWORKS.items()}),
        **jobs_of_updates(SUPPORTED_UPDATES),
    },
    "suite": lambda: jobs_of({name: of_suite(name) for name in SUITE}),
}


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Answer]:
    """Return a function that returns what Caffe2 has computed, of a group by a name and the mode."""
    interpreter_of("caffe2")  # Where it is missing, the tests are skipped before any network is built.

    @cache
    def answers(group: str) -> Mapping[Key, Answer]:
        jobs = JOBS[group]()
        found = run_jobs("caffe2", list(jobs.values()), tmp_path_factory.mktemp("caffe2"))
        return dict(zip(jobs, found, strict=True))

    return lambda group, name, mode: answers(group)[name, mode]


@IN_MODES
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_agrees(computed: Callable[..., Answer], name: str, mode: str) -> None:
    assert_agreement(NETWORKS[name](), mode, computed("small", name, mode), to_every_maximum)


@pytest.mark.slow
@IN_MODES
@pytest.mark.parametrize("name", SUITE)
def test_every_network_agrees(computed: Callable[..., Answer], name: str, mode: str) -> None:
    assert_agreement(of_suite(name), mode, computed("suite", name, mode), to_every_maximum)


@pytest.mark.parametrize("name", SUPPORTED_UPDATES)
def test_updates_follow_the_formulas(computed: Callable[..., Answer], name: str) -> None:
    assert_follows_the_formulas(name, computed("small", name, "update"))
