"""Compare allocators over networks, frameworks and modes: speed, noise between processes, peak memory, page faults.

Each measurement is a fresh worker of the plugin, one at a time. A repetition measures every candidate once, in random
order, so that what changes with the hour changes all of them. The speed of a candidate is its ratio to ``system`` in
the same repetition; its noise is the standard deviation of the logarithms of its speed over the repetitions.

Run it on an idle machine, with the project and its frameworks installed: ``python benchmarks/allocator.py``. With the
defaults it takes about 15 minutes on 2 cores. It prints a Markdown table for ``docs/fairness.md``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import shlex
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import dlworkloads
import pytest_throughput
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.variables import WorkerVariables
from pytest_throughput.launch.workers import FreshWorkers
from pytest_throughput.measurement.allocator import SYSTEM, TUNED
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.results.statistics import geometric_mean_interval
from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores
from pytest_throughput.worker.protocol import Request


@dataclass(frozen=True)
class Candidate:
    """An allocator, and the variables that its processes get."""

    name: str
    allocator: str
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    frameworks: tuple[str, ...] = tuple(FRAMEWORKS)
    """The frameworks on which it can have an effect."""


CANDIDATES = (
    Candidate("system", SYSTEM),
    Candidate("tuned", TUNED),
    Candidate("tuned, huge pages by glibc", TUNED, {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}),
    Candidate("tuned, huge pages by PyTorch", TUNED, {"THP_MEM_ALLOC_ENABLE": "1"}, ("pytorch",)),
    Candidate("tuned, one arena", TUNED, {"MALLOC_ARENA_MAX": "1"}),
)
BY_DEFAULT = CANDIDATES[:4]


@dataclass(frozen=True)
class Measured:
    """One process of one candidate on one case."""

    case: str
    candidate: str
    repetition: int
    holds: str
    """The allocator that the worker found itself to have."""
    images_per_second: float
    peak_memory_bytes: int | None
    page_faults_per_step: float | None
    versions: Mapping[str, str]


def main() -> None:
    """Measure every case with every candidate, and print the tables."""
    options = _options()
    candidates = _candidates(options)
    cases = [
        Case(mode, framework, "cpu", model, options.batch_size, "fp32", FRAMEWORKS[framework].default_execution)
        for model, mode, framework in product(options.model, options.mode, options.framework)
    ]
    measured: list[Measured] = []
    order = random.Random(0)
    began_at = time.monotonic()
    staged = StagedPath([Path(pytest_throughput.__file__).parent, Path(dlworkloads.__file__).parent])
    try:
        for case in cases:
            able = [each for each in candidates if case.framework in each.frameworks]
            for repetition in range(options.processes):
                for candidate in order.sample(able, len(able)):
                    found = _measure(case, candidate, repetition, staged, options)
                    measured.append(found)
                    speed = f"{found.images_per_second:.4g} images/s"
                    print(f"{case.id}, {candidate.name}: {speed}, {found.holds}", file=sys.stderr, flush=True)
    finally:
        staged.remove()
    if options.output is not None:
        options.output.write_text(json.dumps([asdict(each) for each in measured], indent=1))
    print(_conditions(measured, options, time.monotonic() - began_at), end="\n\n")
    print(_table(cases, candidates, measured), end="\n\n")
    print(_summary(cases, candidates, measured))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Allocators compared: speed, noise, memory, page faults.")

    def names(text: str) -> list[str]:
        return text.split(",")

    parser.add_argument("--model", type=names, default=["googlenet", "mnist_cnn"], help="default googlenet,mnist_cnn")
    parser.add_argument("--framework", type=names, default=["pytorch", "tensorflow"])
    parser.add_argument("--mode", type=names, default=["inference", "training"])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--processes", type=int, default=4, help="of each candidate on each case; default 4")
    parser.add_argument("--threads", type=int, default=usable_physical_cores(), help="default: the physical cores")
    known = ", ".join(f"'{each.name}'" for each in CANDIDATES)
    parser.add_argument("--candidate", action="append", help=f"besides 'system', instead of the default: {known}")
    parser.add_argument("--library", action="append", default=[], help="a jemalloc or tcmalloc to compare, by its file")
    parser.add_argument("--interpreter", default=sys.executable, help="the Python of the frameworks")
    parser.add_argument("--output", type=Path, help="a file for every single measurement, as JSON")
    return parser.parse_args()


def _candidates(options: argparse.Namespace) -> list[Candidate]:
    by_name = {each.name: each for each in CANDIDATES}
    unknown = sorted({*(options.candidate or ())} - {*by_name})
    if unknown:
        sys.exit(f"--candidate: expected some of {', '.join(map(repr, by_name))}, got {', '.join(map(repr, unknown))}")
    asked = [by_name[name] for name in options.candidate] if options.candidate else BY_DEFAULT
    libraries = [Candidate(os.path.basename(file), os.path.abspath(file)) for file in options.library]
    return list(dict.fromkeys([by_name["system"], *asked, *libraries]))


def _measure(
    case: Case, candidate: Candidate, repetition: int, staged: StagedPath, options: argparse.Namespace
) -> Measured:
    """Return the figures of one fresh process. End the program if there are none."""
    config = LauncherConfig(
        staged,
        threads=options.threads,
        variables=WorkerVariables(given=candidate.variables),
        allocator=candidate.allocator,
    )
    variables = tuple(FRAMEWORKS[case.framework].variables(case, options.threads).items())
    interpreter = Interpreter("default", case.framework, (options.interpreter,))
    request = Request("dlworkloads.opening:open_step", {**case.to_json(), "threads": options.threads}, PLANS["quick"])
    launcher = FreshWorkers(config)
    try:
        outcome, stderr = launcher.run(request, Placement(interpreter, repetition + 1, variables=variables))
    finally:
        launcher.close()
    if outcome.measurement is None:
        sys.exit(f"{case.id}, {candidate.name}: {outcome.status}: {outcome.reason}\n{stderr}")
    return Measured(
        case=case.id,
        candidate=candidate.name,
        repetition=repetition,
        holds=outcome.metadata["settings"]["allocator"],
        images_per_second=case.batch_size / statistics.median(outcome.measurement.seconds_per_step),
        peak_memory_bytes=outcome.metadata["peak_memory_bytes"],
        page_faults_per_step=outcome.measurement.page_faults_per_step,
        versions=outcome.metadata["versions"],
    )


def _conditions(measured: Sequence[Measured], options: argparse.Namespace, seconds: float) -> str:
    versions = {name: version for each in measured for name, version in each.versions.items()}
    huge_pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    parts = [
        cpu_model() or "unknown processor",
        f"{options.threads} threads",
        " ".join(platform.libc_ver()),
        f"huge pages {huge_pages.read_text().strip() if huge_pages.exists() else 'unknown'}",
        *(f"{name} {version}" for name, version in sorted(versions.items())),
        f"{options.processes} processes each",
        f"{seconds / 60:.0f} min",
        f"load {os.getloadavg()[0]:.1f}",
    ]
    return f"{'; '.join(parts)}: `{shlex.join(['python', *sys.argv])}`"


def _table(cases: Sequence[Case], candidates: Sequence[Candidate], measured: Sequence[Measured]) -> str:
    lines = [
        "| case | allocator | images/s | ÷ `system` (95 %) | SD between processes | peak memory | faults/step |",
        "|---|---|---|---|---|---|---|",
    ]
    for case, candidate in product(cases, candidates):
        own = _of(measured, case, candidate)
        if not own:
            continue
        speeds = [each.images_per_second for each in own]
        peaks = [each.peak_memory_bytes for each in own if each.peak_memory_bytes is not None]
        faults = [each.page_faults_per_step for each in own if each.page_faults_per_step is not None]
        held = {each.holds for each in own}
        wanted = Path(candidate.allocator).resolve().name
        name = candidate.name if held == {wanted} else f"{candidate.name}, but held: {', '.join(sorted(held))}"
        cells = [
            case.id,
            name,
            f"{statistics.geometric_mean(speeds):.4g}",
            _interval(_ratios(measured, case, candidate)),
            _percent(_deviation(speeds)),
            f"{max(peaks) / 2**20:.0f} MiB" if peaks else "-",
            f"{statistics.median(faults):,.0f}" if faults else "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _summary(cases: Sequence[Case], candidates: Sequence[Candidate], measured: Sequence[Measured]) -> str:
    """Return the geometric means over the cases, and the deviations pooled over them."""
    lines = [
        "| allocator | ÷ `system`, mean of the cases | SD between processes, pooled | cases |",
        "|---|---|---|---|",
    ]
    for candidate in candidates:
        ratios, variances = [], []
        for case in cases:
            if own := _of(measured, case, candidate):
                ratios.append(statistics.geometric_mean(_ratios(measured, case, candidate)))
                variances.append((_deviation([each.images_per_second for each in own]) or math.nan) ** 2)
        if ratios:
            pooled = math.sqrt(statistics.fmean(variances))
            cells = [candidate.name, f"{statistics.geometric_mean(ratios):.3f}", _percent(pooled), str(len(ratios))]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _of(measured: Sequence[Measured], case: Case, candidate: Candidate) -> list[Measured]:
    return [each for each in measured if (each.case, each.candidate) == (case.id, candidate.name)]


def _ratios(measured: Sequence[Measured], case: Case, candidate: Candidate) -> list[float]:
    """Return the speed of the candidate ÷ that of ``system`` in each repetition."""
    base = [each.images_per_second for each in _of(measured, case, CANDIDATES[0])]
    return [each.images_per_second / other for each, other in zip(_of(measured, case, candidate), base, strict=True)]


def _interval(ratios: Sequence[float]) -> str:
    mean, low, high = geometric_mean_interval(ratios)
    return f"{mean:.3f}" if low is None or high is None or low == high else f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _deviation(speeds: Sequence[float]) -> float | None:
    return statistics.stdev(map(math.log, speeds)) if len(speeds) > 1 else None


def _percent(deviation: float | None) -> str:
    return "-" if deviation is None or math.isnan(deviation) else f"{100 * deviation:.1f} %"


if __name__ == "__main__":
    main()
