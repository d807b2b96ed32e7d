"""How many physical cores and how much memory may be used: topology, affinity and cgroups."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pytest_throughput.telemetry.cgroup import available_memory_bytes
from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores


def machine(folder: Path, siblings: dict[int, str], files: dict[str, str]) -> tuple[Path, Path]:
    for number, mask in siblings.items():
        topology = folder / f"sys/devices/system/cpu/cpu{number}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings").write_text(mask + "\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "proc", folder / "sys"


FOUR_CORES = {number: f"{0b10001 << number % 4:x}" for number in range(8)}


@pytest.mark.parametrize(
    ("affinity", "files", "cores"),
    [
        (range(8), {}, 4),
        ({0, 4}, {}, 1),
        ({0, 1}, {}, 2),
        (range(8), {"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.max": "250000 100000\n"}, 2),
        (range(8), {"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.max": "max 100000\n"}, 4),
        (range(8), {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "100000 100000\n"}, 1),
        (range(8), {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (
            range(8),
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/job\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            range(8),
            {
                "proc/self/cgroup": "4:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (range(8), {"proc/self/cgroup": "nonsense"}, 4),
    ],
)
def test_counts_the_cores_that_may_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, affinity: set[int], files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(affinity), raising=False)
    assert usable_physical_cores(*machine(tmp_path, FOUR_CORES, files)) == cores


def test_without_topology_each_processor_is_a_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert usable_physical_cores(tmp_path, tmp_path) == 3


def test_this_machine_has_at_least_one_core() -> None:
    assert 1 <= usable_physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "model"),
    [("processor : 0\nmodel name\t: Fast CPU @ 3 GHz\n", "Fast CPU @ 3 GHz"), ("cpu model : MIPS 24K\n", "MIPS 24K")],
)
def test_reads_the_model(tmp_path: Path, text: str, model: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_model(tmp_path) == model


GIB = 2**30


@pytest.mark.parametrize(
    ("files", "available"),
    [
        ({}, 20 * GIB),
        ({"sys/fs/cgroup/job/memory.max": "max\n", "sys/fs/cgroup/job/memory.current": f"{GIB}\n"}, 20 * GIB),
        ({"sys/fs/cgroup/job/memory.max": f"{8 * GIB}\n", "sys/fs/cgroup/job/memory.current": f"{3 * GIB}\n"}, 5 * GIB),
        (
            {
                "sys/fs/cgroup/job/memory.max": f"{8 * GIB}\n",
                "sys/fs/cgroup/job/memory.current": f"{7 * GIB}\n",
                "sys/fs/cgroup/job/memory.stat": f"anon {GIB}\ninactive_file {2 * GIB}\n",
            },
            3 * GIB,
        ),
        ({"sys/fs/cgroup/memory.max": f"{GIB}\n", "sys/fs/cgroup/memory.current": f"{2 * GIB}\n"}, 0),
    ],
)
def test_counts_the_memory_that_may_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], available: int
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=20 * GIB))
    folders = machine(tmp_path, {}, {"proc/self/cgroup": "0::/job\n", **files})
    assert available_memory_bytes(*folders) == available
