"""The parts of a result file that are read, with their types and bounds, for msgspec.

Members that are not named here are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from pytest_throughput.measurement.kernel import LONGEST_NAME, MOST_KERNELS
from pytest_throughput.results.model import LEAST_FIGURE, MOST_FIGURE

__all__ = [
    "MOST_CASES",
    "Block",
    "CaseBlock",
    "KernelBlock",
    "Kernels",
    "MetricBlock",
    "OurBenchmark",
    "PlainBenchmark",
    "ProfileBlock",
    "TrialBlock",
]

MOST_CASES = 20_000
"""The most cases of a file: a table of more would take minutes and gigabytes."""

Figure = Annotated[float, Meta(ge=LEAST_FIGURE, le=MOST_FIGURE)]
Seconds = Annotated[float, Meta(ge=LEAST_FIGURE, le=1e9)]
"""Seconds per step, with the bounds of what can occur."""
Sample = Annotated[float, Meta(ge=0, le=MOST_FIGURE)]
"""Seconds per step in one round; zero where the clock could not resolve them."""
Ratio = Annotated[float, Meta(ge=0, le=1e300)]
"""A ratio of two figures, or a figure."""
Whole = Annotated[int, Meta(ge=0, le=2**53)]
"""A whole number that every reader of JSON represents exactly."""
Name = Annotated[str, Meta(min_length=1)]
Axes = Annotated[dict[str, Any], Meta(max_length=50)]


class TrialBlock(Struct):
    """An element of ``trials``: a trial that was measured."""

    trial: Whole
    median_seconds: Seconds
    images_per_second: Figure | None = None
    rounds: Whole | None = None
    rounds_disturbed: Whole | None = None
    started_at: str | None = None
    resumed: bool = False


class CaseBlock(Struct):
    """An element of ``cases``."""

    id: Name
    environment: Name
    trials: list[TrialBlock]
    status: str | None = None
    reason: str | None = None
    implausible: str | None = None
    labels: Axes | None = None
    """The axes of the case by name."""
    settings: dict[str, Any] | None = None
    network_hash: str | None = None


class VerdictBlock(Struct):
    """An element of ``verdicts.cases``: what the gate says of a case."""

    id: Name
    verdict: Annotated[str, Meta(min_length=1, max_length=50)]
    reason: str
    ratio: Ratio | None = None
    ratio_low: Ratio | None = None
    ratio_high: Ratio | None = None
    trials_base: Whole = 0
    trials_head: Whole = 0
    metric: str | None = None
    value_base: Ratio | None = None
    value_head: Ratio | None = None
    unit: str | None = None
    code: str = ""
    detectable_ratio: Ratio | None = None


class JudgementBlock(Struct):
    """The object ``verdicts``."""

    title: str
    cases: list[VerdictBlock]
    notes: list[str]
    software_changes: dict[str, dict[str, str | None]]
    variable_changes: dict[str, dict[str, str | None]] = field(default_factory=dict)
    exit_status: Whole = 0


class Block(Struct):
    """The object ``throughput``."""

    cases: list[CaseBlock]
    verdicts: JudgementBlock | None = None
    complete: bool = False
    deselected: list[str] | None = None
    fingerprint: dict[str, Any] | None = None
    individual: str | None = None
    """The hashed id of the machine."""


class MetricBlock(Struct):
    """An element of ``metrics``."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    unit: Annotated[str, Meta(max_length=200)]
    value: Annotated[float, Meta(ge=-1e300, le=1e300)]
    better: Annotated[str, Meta(max_length=50)]
    standard_error: Annotated[float, Meta(ge=0, le=1e300)] | None = None
    """Absent where the metric has none."""


class PairBlock(Struct):
    """The object ``pair``: how a trial and that of the other side were measured in turn."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    ratio: Figure | None = None
    mean_ratio: Figure | None = None


class AnchorBlock(Struct):
    """The object ``anchor``: the environment beside which a trial was measured, or the reason why there is none."""

    digest: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")] | None = None
    versions: Annotated[dict[str, str], Meta(max_length=200)] = field(default_factory=dict)
    ratio: Figure | None = None
    mean_ratio: Figure | None = None
    reason: str | None = None


class KernelBlock(Struct, rename={"kind": "class"}):
    """An element of ``kernels``: an operator of the profiled steps, or a kernel on a GPU."""

    name: Annotated[str, Meta(min_length=1, max_length=2 * LONGEST_NAME)]
    calls: Whole
    seconds: Annotated[float, Meta(ge=0, le=1e9)]
    share: Annotated[float, Meta(ge=0, le=1.0001)]
    kind: Annotated[str, Meta(min_length=1, max_length=50)]


class ProfileBlock(Struct):
    """The object ``profile``: how a trial was profiled, or the reason why it was not."""

    steps: Annotated[int, Meta(ge=1, le=2**53)]
    seconds_per_step: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    trace: Annotated[str, Meta(min_length=1, max_length=1_000)] | None = None
    reason: str | None = None


Kernels = Annotated[list[KernelBlock], Meta(max_length=MOST_KERNELS + 1)]


class _Info(Struct):
    case_id: str
    trial: Whole
    environment: str | None = None
    first_step_seconds: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    metrics: Annotated[list[MetricBlock], Meta(max_length=1_000)] | None = None
    """The metrics; None in older files, which have none."""
    pair: PairBlock | None = None
    anchor: AnchorBlock | None = None
    kernels: Kernels | None = None
    profile: ProfileBlock | None = None


class _OurStats(Struct):
    data: tuple[Sample, ...] | None = None


class OurBenchmark(Struct):
    """An element of ``benchmarks`` that belongs to a case."""

    extra_info: _Info
    fullname: str | None = None
    stats: _OurStats | None = None


class _PlainStats(Struct):
    median: Seconds
    rounds: Whole | None = None
    data: tuple[Sample, ...] | None = None


class PlainBenchmark(Struct):
    """An element of ``benchmarks`` in a file of pytest-benchmark alone."""

    fullname: Name
    stats: _PlainStats
    params: Any = None
    """An object, or anything else, which is ignored."""
    extra_info: Any = None
    """An object, or anything else, which is ignored."""
