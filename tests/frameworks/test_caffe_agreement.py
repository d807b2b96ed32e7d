"""Caffe and Caffe2 compute what PyTorch computes: outputs, loss, every gradient, and the weights after updates.

Everything of one framework runs in one process of the interpreter of ``nox -s env-caffe`` or ``env-caffe2``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

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

from dlworkloads.base.workload import Workload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Dense, ReLU
from dlworkloads.models.network import Network, without_dropout


def features() -> Network:
    return Network("features", (7,), Sequential(Dense(12, bias=False), BatchNorm(), ReLU(), Dense(3)))


@dataclass(frozen=True)
class Compared:
    """What is compared of a framework."""

    algorithms: tuple[str, ...]
    """The algorithms of updates whose formulas it has."""
    more: Mapping[str, Callable[[], Network]] = field(default_factory=dict)
    """Networks that the other one cannot compute."""
    alter: Callable[[Workload], None] = lambda workload: None
    """What gives PyTorch's network the framework's own gradients."""

    @property
    def small(self) -> Mapping[str, Callable[[], Network]]:
        return {**SMALL, "with_auxiliary_heads": lambda: without_dropout(with_auxiliary_heads()), **self.more}

    @property
    def updates(self) -> list[str]:
        return [name for name, each in UPDATES.items() if each.algorithm in self.algorithms]

    def jobs(self, group: str) -> dict[Key, Job]:
        if group == "suite":
            return jobs_of({name: of_suite(name) for name in SUITE})
        return {**jobs_of({name: build() for name, build in self.small.items()}), **jobs_of_updates(self.updates)}


FRAMEWORKS = {
    "caffe": Compared(("sgd", "rmsprop", "adadelta"), more={"features": features}),
    "caffe2": Compared(("sgd", "adadelta"), alter=to_every_maximum),
}
IN_MODES = pytest.mark.parametrize("mode", ["inference", "training"])


def of_each(name_all: Callable[[Compared], Any]) -> pytest.MarkDecorator:
    """Return the parameters framework and name, of all names in each framework."""
    return pytest.mark.parametrize(
        ("framework", "name"), [(each, name) for each, compared in FRAMEWORKS.items() for name in name_all(compared)]
    )


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Answer]:
    """Return a function that returns what a framework has computed, of a group by a name and the mode."""

    @cache
    def answers(framework: str, group: str) -> Mapping[Key, Answer]:
        interpreter_of(framework)  # Where it is missing, the test is skipped before any network is built.
        jobs = FRAMEWORKS[framework].jobs(group)
        found = run_jobs(framework, list(jobs.values()), tmp_path_factory.mktemp(framework))
        return dict(zip(jobs, found, strict=True))

    return lambda framework, group, name, mode: answers(framework, group)[name, mode]


@IN_MODES
@of_each(lambda compared: compared.small)
def test_every_layer_agrees(computed: Callable[..., Answer], framework: str, name: str, mode: str) -> None:
    compared = FRAMEWORKS[framework]
    assert_agreement(compared.small[name](), mode, computed(framework, "small", name, mode), compared.alter)


@pytest.mark.slow
@IN_MODES
@of_each(lambda compared: SUITE)
def test_every_network_agrees(computed: Callable[..., Answer], framework: str, name: str, mode: str) -> None:
    assert_agreement(of_suite(name), mode, computed(framework, "suite", name, mode), FRAMEWORKS[framework].alter)


@of_each(lambda compared: compared.updates)
def test_updates_follow_the_formulas(computed: Callable[..., Answer], framework: str, name: str) -> None:
    assert_follows_the_formulas(name, computed(framework, "small", name, "update"))
