"""Runs of the suite with invented figures, for reports: every axis, several frameworks, and the metadata of a trial."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import result_files

from pytest_throughput.measurement.kernel import KINDS

__all__ = [
    "CPU",
    "MARKUP",
    "full_document",
    "hostile_document",
    "hostile_plain_document",
    "judgement",
    "suite_document",
]

CPU = "A processor"
MARKUP = (
    "\"'></title></style></script></svg><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>"
    "<a href='javascript:window.hacked=3'>{{ 7 * 7 }}\u202e\0\ud800"
)
_FIXED = {
    "better",
    "case_id",
    "class",
    "datetime",
    "environment",
    "fullname",
    "id",
    "labels",
    "started_at",
    "status",
    "verdict",
}
"""Members of a result file whose texts cannot be any, or that are set below."""
_FRAMEWORKS = {"pytorch": "eager", "tensorflow": "graph", "jax": "compiled"}


def suite_document(
    cases: int = 12,
    *,
    seed: int = 0,
    trials: int = 3,
    cpu: str = CPU,
    folder: str = "bench/",
    settings: dict[str, Any] | None = None,
    verdicts: dict[str, Any] | None = None,
    models: Sequence[str] = ("alexnet", "resnet50"),
    frameworks: Mapping[str, str] = _FRAMEWORKS,
    further: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a result file of the suite with about so many cases: works of all frameworks each, all batch sizes.

    ``frameworks``: their executions. ``further``: metadata of every trial.
    """
    generator = random.Random(seed)
    several = max(1, cases // (2 * len(models) * len(frameworks)))
    sizes = [2**power for power in range(several)] if several < 10 else list(range(1, several + 1))
    works = list(product(("inference", "training"), models, sizes))
    blocks: list[dict[str, Any]] = []
    benchmarks: list[dict[str, Any]] = []
    for mode, model, size in works:
        for framework, execution in frameworks.items():
            point = f"{framework}-cpu-{model}-b{size}-fp32-{execution}"
            axes = {"mode": mode, "model": model, "batch_size": size, "precision": "fp32", "device": "cpu"}
            axes |= {"framework": framework, "execution": execution, "layout": None}
            seconds = 0.01 * size * (3 if mode == "training" else 1) * generator.lognormvariate(0, 0.1)
            measured = []
            for trial in range(1, trials + 1):
                median = seconds * generator.lognormvariate(0, 0.01)
                measured.append(
                    {
                        "trial": trial,
                        "images_per_second": size / median,
                        "median_seconds": median,
                        "rounds": 20,
                        "rounds_disturbed": 1,
                        "started_at": f"2026-01-01T{seed:02}:00:00+00:00",
                    }
                )
                suffix = f"-t{trial}" if trial > 1 else ""
                benchmarks.append(
                    {
                        "fullname": f"{folder}test_{mode}.py::test_{mode}[{point}{suffix}]",
                        "params": None,
                        "extra_info": {
                            **axes,
                            "case_id": f"{mode}-{point}",
                            "environment": "default",
                            "trial": trial,
                            "versions": {framework: "2.1", "python": "3.11.7"},
                            "settings": _SETTINGS | (settings or {}),
                            "first_step_seconds": 0.5,
                            "build_seconds": 0.2,
                            "peak_memory_bytes": 5 * 10**8,
                            "model_flops_utilisation": 0.5,
                            **(further or {}),
                        },
                        "stats": {"median": median, "data": [median] * 20},
                    }
                )
            blocks.append(
                {
                    "id": f"{mode}-{point}",
                    "environment": "default",
                    "status": "ok",
                    "reason": None,
                    "labels": axes,
                    "trials": measured,
                    "settings": _SETTINGS | (settings or {}),
                    "network_hash": f"hash of {model}",
                }
            )
    return {
        "datetime": "2026-01-01T12:00:00+00:00",
        "machine_info": {"system": "Linux", "machine": "x86_64", "node": "the host's name", "python_version": "3.11.7"},
        "benchmarks": benchmarks,
        "throughput": {
            "schema": 1,
            "complete": True,
            "deselected": [],
            "fingerprint": {"cpu": {"model": cpu, "cores": 2, "threads": 2}, "gpus": []},
            "individual": "one machine",
            "cases": blocks,
            **({} if verdicts is None else {"verdicts": verdicts}),
        },
    }


_SETTINGS = {"isolation": "trial", "protocol": "quick", "threads": 2, "allocator": "tuned", "environment_variables": {}}


def judgement(verdicts: Sequence[tuple[str, str, float | None]]) -> dict[str, Any]:
    """Return stored verdicts: id, verdict and ratio of each."""
    return {
        "schema": 1,
        "exit_status": 10,
        "title": "this run against 5 accepted runs of baselines",
        "software_changes": {"torch": {"base": "2.12", "head": "2.13"}},
        "notes": ["a note"],
        "cases": [
            {
                "id": case_id,
                "verdict": verdict,
                "code": "slower",
                "reason": f"{case_id} is {verdict}",
                "ratio": ratio,
                "ratio_low": None if ratio is None else ratio - 0.01,
                "ratio_high": None if ratio is None else ratio + 0.01,
                "trials_base": 15,
                "trials_head": 3,
                "metric": "images_per_second",
                "value_base": 100.0,
                "value_head": None if ratio is None else 100 * ratio,
                "unit": "images/s",
            }
            for case_id, verdict, ratio in verdicts
        ],
    }


def _marked(value: Any) -> Any:
    """Return JSON with markup in place of every text that may be any."""
    if isinstance(value, dict):
        return {key: each if key in _FIXED else _marked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_marked(each) for each in value]
    return MARKUP if isinstance(value, str) else value


_KERNEL = {"name": "conv", "calls": 2, "seconds": 0.5, "share": 1.0, "class": "convolution"}
_FURTHER: dict[str, Any] = {
    "metrics": [{"name": "found", "unit": "u", "value": 1.0, "better": "higher"}],
    "kernels": [_KERNEL],
    "profile": {"steps": 2, "seconds_per_step": 0.25, "trace": "trace.json", "reason": "why"},
    "telemetry": {"gpu": {"power_watts": 70.0}, "cpu": {"load": 1.0}, "unknown": {"frequency_mhz": "no driver"}},
    "peak": {"tflops": 1.0, "method": "measured", "source": "a product"},
    "largest_batch": {
        "fits": 8,
        "refused": 16,
        "refused_status": "failed",
        "refused_reason": "why",
        "tried": {"8": "ok"},
    },
    "disturbed_by": "another process",
    "removed_variables": ["OMP_NUM_THREADS"],
    "unpaired": "alone",
    "anchor": {"versions": {"torch": "2.1"}, "reason": "none"},
    "data_set": {"description": "digits", "examples": 1_797, "sha256": "0"},
    "unit": "images",
}


def full_document() -> dict[str, Any]:
    """Return 480 cases of 5 trials each with everything that a run on a GPU may record, and a verdict on each."""
    frameworks = {"keras-torch": "eager", "onnxruntime": "graph", "openvino": "compiled"} | _FRAMEWORKS
    gpu = {
        "sm_clock_mhz": {"mean": 1410.1, "highest_possible": 1980},
        "memory_clock_mhz": {"mean": 2619.0},
        "power_watts": 70.0,
        "temperature_celsius": {"mean": 50.1, "max": 61},
        "throttled_share": 0.0,
        "utilisation_percent": 99.1,
    }
    further = {
        "compile_seconds": 1.2345,
        "images_per_joule": 12.345,
        "kernels": [_KERNEL | {"name": f"a kernel {number}", "class": kind} for number, kind in enumerate(KINDS)],
        "profile": {"steps": 2, "seconds_per_step": 0.25, "trace": None, "reason": None},
        "telemetry": {"gpu": gpu, "cpu": {"busy_share": 0.5, "steal_share": 0.001, "load_before": 0.3}},
    }
    document = suite_document(
        500,
        trials=5,
        models=("alexnet", "googlenet", "resnet50", "vgg16"),
        frameworks=frameworks,
        further=further,
        settings={"environment_variables": {"OMP_PROC_BIND": "close", "MALLOC_CONF": "background_thread:true"}},
    )
    ids = [case["id"] for case in document["throughput"]["cases"]]
    verdicts = [(each, "unchanged" if number % 10 else "regressed", 0.9) for number, each in enumerate(ids)]
    document["throughput"]["verdicts"] = judgement(verdicts)
    return document


def hostile_document() -> dict[str, Any]:
    """Return a result file with markup in every text that may be any, and in names of axes, settings and versions."""
    verdicts = judgement([("a", "regressed", 0.5), ("b", "unchanged", 1.0)])
    verdicts["cases"][0]["id"] = MARKUP
    document = suite_document(verdicts=verdicts, trials=2)
    document["throughput"]["cases"][0] |= {"reason": "r", "implausible": "i"}
    for benchmark in document["benchmarks"]:
        benchmark["extra_info"] |= _FURTHER
    document = dict(_marked(document))
    for case in document["throughput"]["cases"]:
        case["id"] = MARKUP + case["id"]
        case["labels"] = dict.fromkeys((MARKUP, "framework", "model", "mode"), MARKUP) | {"batch_size": 1}
    for benchmark in document["benchmarks"]:
        info = benchmark["extra_info"]
        info["metrics"][0]["name"] = "found"
        benchmark["fullname"] += MARKUP
        info["case_id"] = MARKUP + info["case_id"]
        info["settings"] |= {MARKUP: {MARKUP: MARKUP}}
        info["versions"] |= {MARKUP: MARKUP}
        info["telemetry"]["unknown"] = {MARKUP: MARKUP}
    document["throughput"]["fingerprint"][MARKUP] = {MARKUP: MARKUP}
    return document


def hostile_plain_document() -> dict[str, Any]:
    """Return a file of pytest-benchmark alone with markup in every text that may be any."""
    document = dict(_marked(result_files.plain_document(0, trials=1)))
    for benchmark in document["benchmarks"]:
        benchmark["fullname"] += MARKUP
    return document
