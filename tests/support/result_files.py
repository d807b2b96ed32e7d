"""Result files with invented figures, in the formats of this plugin and of pytest-benchmark."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CASES = tuple(f"training-pt-cpu-{model}-b{size}" for model in ("alex", "goog", "vgg") for size in (1, 8))
FINGERPRINT = {"cpu": {"model": "A processor", "cores": 2, "threads": 2}, "gpus": []}


def our_document(
    seed: int,
    *,
    slower: Mapping[str, float] | None = None,
    cases: Sequence[str] = CASES,
    environments: Sequence[str] = ("default",),
    trials: int = 5,
    status: Mapping[str, str | None] | None = None,
    deselected: Sequence[str] | None = (),
    complete: bool = True,
    fingerprint: Mapping[str, Any] = FINGERPRINT,
    version: str = "2.12",
) -> dict[str, Any]:
    """Return a result file of this plugin.

    ``slower``: by case, the share by which the seconds are longer in every environment but ``base``.
    """
    generator = random.Random(seed)
    blocks, benchmarks = [], []
    for case_id in cases:
        for environment in environments:
            ended = (status or {}).get(case_id, "ok")
            figures = []
            for trial in range(1, trials + 1 if ended == "ok" else 1):
                seconds = 0.1 * generator.lognormvariate(0, 0.005)
                seconds *= 1 + ((slower or {}).get(case_id, 0.0) if environment != "base" else 0.0)
                rate, started_at = 8 / seconds, f"2026-01-{1 + seed // 24:02d}T{seed % 24:02d}:00:00+00:00"
                figures.append(
                    {
                        "trial": trial,
                        "images_per_second": rate,
                        "median_seconds": seconds,
                        "rounds": 20,
                        "rounds_disturbed": 1,
                        "started_at": started_at,
                    }
                )
                info = {"case_id": case_id, "environment": environment, "trial": trial, "versions": {"torch": version}}
                name = f"t.py::t[{case_id}{suffix(trial)}-{environment}]"
                benchmarks.append({"fullname": name, "params": None, "extra_info": info, "stats": {"median": seconds}})
            model, size = case_id.split("-")[3:5]
            blocks.append(
                {
                    "id": case_id,
                    "environment": environment,
                    "status": ended,
                    "reason": None,
                    "labels": {"mode": "training", "framework": "pt", "model": model, "batch_size": int(size[1:])},
                    "trials": figures,
                    "settings": {"threads": 2, "isolation": "trial", "warm_up_steps": seed},
                    "network_hash": f"hash of {model}",
                }
            )
    return {
        "datetime": "2026-01-01T00:00:00+00:00",
        "benchmarks": benchmarks,
        "throughput": {
            "schema": 1,
            "complete": complete,
            "deselected": None if deselected is None else list(deselected),
            "fingerprint": dict(fingerprint),
            "individual": "one machine",
            "cases": blocks,
        },
    }


def plain_document(
    seed: int, *, slower: float = 0.0, names: int = 6, trials: int = 5, node: str = "host"
) -> dict[str, Any]:
    """Return a result file of pytest-benchmark alone, in which the first case is slower by a share of its time."""
    generator = random.Random(seed)

    def median(name: int) -> float:
        return 0.1 * generator.lognormvariate(0, 0.005) * (1 + (slower if name == 0 else 0))

    benchmarks = [
        {
            "fullname": f"bench.py::test_it[{name}{suffix(trial)}]",
            "params": {"throughput_trial": trial, "rows": "8"},
            "extra_info": {},
            "stats": {
                "median": 0.1 * generator.lognormvariate(0, 0.005) * (1 + (slower if name == 0 else 0)),
                "rounds": 5,
            },
        }
        for name in range(names)
        for trial in range(1, trials + 1)
    ]
    return {
        "machine_info": {
            "node": node,
            "machine": "x86_64",
            "cpu": {"brand_raw": "A", "count": 2},
            "python_version": "3.11.7",
        },
        "datetime": f"2026-01-01T{seed:02d}:00:00",
        "benchmarks": benchmarks,
    }


def suffix(trial: int) -> str:
    """Return the suffix of a trial in the names of its benchmarks."""
    return f"-t{trial}" if trial > 1 else ""


def write(folder: Path, name: str, document: Mapping[str, Any]) -> str:
    """Write a document to a file, and return its path for a command line."""
    path = folder / name
    path.write_text(json.dumps(document))
    return str(path)
