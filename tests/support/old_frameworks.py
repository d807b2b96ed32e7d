"""Run networks in a framework that has an interpreter of its own: a process of that interpreter answers with arrays.

The process gets cases, networks and optimisers as a pickle, and arrays as ``.npz`` files, which every NumPy reads.
The same module is its program: ``PYTHON old_frameworks.py FOLDER``. It runs in Python 3.9 with NumPy and the framework.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS, resolve
from dlworkloads.models.network import Network
from dlworkloads.opening import import_workload
from dlworkloads.optimisers import Optimiser

ROOT = Path(__file__).parents[2]
THREADS = 1

Arrays = dict[str, np.ndarray]
"""Arrays by name, such as the path of a parameter."""


@dataclass(frozen=True)
class Job:
    """One network in one mode, and the batches that it computes one after the other."""

    network: Network
    mode: str
    weights: Arrays
    batches: Sequence[tuple[np.ndarray, np.ndarray]]
    """Images in float32, and labels."""
    precision: str = "fp64"
    optimiser: Optimiser | None = None


@dataclass(frozen=True)
class Answer:
    """What a framework has computed of one job."""

    outputs: list[Arrays] = field(default_factory=list)
    """What `Workload.read` gives for each batch."""
    parameters: Arrays = field(default_factory=dict)
    """The parameters and running statistics after the last batch."""
    predicted: np.ndarray | None = None
    """With an optimiser: the logits of the first batch in inference mode, after the last update."""


def run_jobs(
    framework: str,
    jobs: Sequence[Job],
    folder: Path,
    variables: Mapping[str, str] | None = None,
    prepare: str | None = None,
) -> list[Answer]:
    """Run all jobs in one process of the framework's own interpreter; skip the test where there is none.

    ``folder`` is an empty one for the exchanged files. ``variables`` are further environment variables of the process,
    which win over those of the framework. ``prepare`` is the ``MODULE:FUNCTION`` of a function of tests/support, which
    the process calls when it has imported the framework. Jobs of one call have one precision: a framework may choose it
    on import.
    """
    interpreter = interpreter_of(framework)
    for number, job in enumerate(jobs):
        arrays = {f"weights/{path}": value for path, value in job.weights.items()}
        for index, (images, labels) in enumerate(job.batches):
            arrays.update({f"images/{index}": images, f"labels/{index}": labels})
        np.savez(folder / f"job-{number}.npz", **arrays)  # type: ignore[arg-type]
    plain = [(job.network, job.mode, job.precision, job.optimiser, len(job.batches)) for job in jobs]
    (folder / "jobs.pickle").write_bytes(pickle.dumps((framework, prepare, plain), protocol=4))
    path = os.pathsep.join(str(ROOT / each) for each in ("plugins", "fixtures", "tests/support"))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS))
    ran = subprocess.run(
        [*interpreter, str(Path(__file__).resolve()), str(folder)],
        env={**os.environ, **threads, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{framework} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
    return [_read_answer(folder / f"answer-{number}.npz", len(job.batches)) for number, job in enumerate(jobs)]


def interpreter_of(framework: str) -> Sequence[str]:
    """Return the command of the interpreter that ``nox -s env-NAME`` has made; skip the test where it is missing."""
    import pytest

    from pytest_throughput.launch.interpreters import Interpreters, find_environments

    known = FRAMEWORKS[framework]
    interpreter = Interpreters([], find_environments(ROOT)).find("default", framework)
    if interpreter.is_running or not interpreter.installed(known.modules).issuperset(known.modules):
        pytest.skip(f"{known.display_name} has no interpreter here: {known.how_to_install}")
    return interpreter.command


def _read_answer(file: Path, batches: int) -> Answer:
    with np.load(file) as arrays:
        outputs = [_below(f"output/{index}/", arrays) for index in range(batches)]
        predicted = arrays.get("predicted")
        return Answer(outputs, _below("parameters/", arrays), predicted)


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    return {name[len(prefix) :]: arrays[name] for name in arrays if name.startswith(prefix)}


def _main(folder: Path) -> None:
    """Do every job of the folder, in the framework's own interpreter."""
    framework, prepare, jobs = pickle.loads((folder / "jobs.pickle").read_bytes())
    for number, job in enumerate(jobs):
        with np.load(folder / f"job-{number}.npz") as arrays:
            answer = _answer(framework, prepare if number == 0 else None, arrays, *job)
        np.savez(folder / f"answer-{number}.npz", **answer)  # type: ignore[arg-type]


def _answer(
    framework: str,
    prepare: str | None,
    arrays: Mapping[str, np.ndarray],
    network: Network,
    mode: str,
    precision: str,
    optimiser: Optimiser | None,
    batches: int,
) -> Arrays:
    known = FRAMEWORKS[framework]
    batch_size = len(arrays["images/0"])
    case = Case(mode, framework, "cpu", network.name, batch_size, precision, known.default_execution)
    kind = import_workload(known, case, THREADS)
    kind.prepare(case, THREADS)
    if prepare is not None:
        resolve(prepare)()
    workload = kind(case, network, optimiser)
    weights = _below("weights/", arrays)
    if optimiser is None:
        workload.load(weights)
    else:
        workload.restart(weights)
    answer: Arrays = {}
    for index in range(batches):
        images = workload.upload(workload.arrange(arrays[f"images/{index}"]))
        batch = [images] if mode == "inference" else [images, workload.upload(arrays[f"labels/{index}"])]
        workload.batch = batch
        read = workload.read(workload.run())
        answer.update({f"output/{index}/{name}": values for name, values in read.items()})
    answer.update({f"parameters/{path}": values for path, values in workload.parameters().items()})
    if optimiser is not None:
        images = workload.upload(workload.arrange(arrays["images/0"]))
        answer["predicted"] = workload.read(workload.predict(images))["logits"]
    workload.close()
    return answer


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
