"""The phase of a job that computes without loading, on a workload that stands for a framework."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlworkloads import models
from dlworkloads.case import Case
from dlworkloads.data.loading import Loading
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.phases.in_turn import seconds_in_turn
from dlworkloads.phases.job import Job
from pytest_throughput.measurement.scenario import measure_phase

CASE = Case("update", "numpy", "cpu", "cifar10_cnn", 2, "fp32", "eager")


class Clock:
    """A clock that only the steps of a workload move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class SlowedDown:
    """A workload whose updates take a second on random images, half as long again on others, and longer each time."""

    settings: dict[str, Any] = {}  # noqa: RUF012 - as an instance has it
    versions: dict[str, str] = {}  # noqa: RUF012
    layout, device_name = "nchw", None

    def __init__(self, case: Case, network: object, optimiser: object) -> None:
        self.case = case
        self.batch = ["random", None]
        self.updated: list[str] = []
        self.restarted = 0

    @staticmethod
    def uploads_channels_last(case: Case) -> bool:
        return False

    def upload(self, values: np.ndarray) -> str:
        return f"{values.dtype.name} {values.flat[0]:g}"

    def update(self, images: str, labels: str) -> None:
        CLOCK.now += (1.0 if images == "random" else 1.5) + 0.125 * len(self.updated)
        self.updated.append(images)

    def run(self) -> None:
        pass

    def predict(self, images: str) -> None:
        pass

    def wait(self, output: object) -> None:
        pass

    def restart(self, parameters: object) -> None:
        self.restarted += 1

    def dtypes(self, output: object) -> dict[str, str]:
        return {}

    def read_settings(self) -> dict[str, Any]:
        return {}

    def compile_seconds(self) -> None:
        return None

    def frozen_weights(self, output: object) -> None:
        return None


class Numbered:
    """A loader whose n-th batch, counted from 0, has n as every value."""

    def __init__(self, loading: Loading) -> None:
        self.loading = loading
        self.loaded = 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _ in range(self.loading.batches):
            yield np.full((2, 3, 32, 32), self.loaded, np.float32), np.full(2, self.loaded)
            self.loaded += 1


@pytest.mark.parametrize(("images", "steps"), [(1, 1), (7, 1), (8, 2), (40, 3)])
def test_real_and_random_images_are_computed_in_turn(tmp_path: Path, images: int, steps: int) -> None:
    """Each batch has two images, of both classes: so many batches, and at most three steps in a block."""
    for split in ("train", "validation"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(images):
                (tmp_path / split / name / f"{number}.jpg").touch()
    loaders: list[Numbered] = []

    def make_loader(loading: Loading) -> Numbered:
        loaders.append(Numbered(loading))
        return loaders[-1]

    job = Job(
        FRAMEWORKS["numpy"],
        SlowedDown,  # type: ignore[arg-type]
        CASE,
        models.build(CASE.model),
        make_loader,
        str(tmp_path),
        clock=CLOCK,
    )
    phases = {phase.name: phase for phase in job.phases(checkpoint=False)}
    for name in ("index", "load", "build", "first_step", "compute"):
        measured = measure_phase(phases[name])
    workload: Any = job._built
    first = "float32 0"
    assert workload.updated == ["random"] * steps + [first] * 2 * steps + ["random"] * steps
    assert measured.items == 4 * steps * 2
    assert [loader.loaded for loader in loaders] == [images]
    ratio = measured.metrics[-1]
    assert (ratio.name, ratio.unit, ratio.better) == ("real_to_random_ratio", "", "lower")
    drift = 0.125 * (4 * steps - 1) / 2
    assert ratio.value == pytest.approx((1.5 + drift) / (1 + drift))
    assert workload.restarted == 1


def test_each_block_ends_with_a_wait() -> None:
    done: list[str] = []

    def update(images: str, labels: str) -> str:
        done.append(images)
        return images.upper()

    seconds_in_turn(update, done.append, (("a", ""), ("b", "")), 2, lambda: 0.0)
    assert "".join(done) == "aaAbbBbbBaaA"
