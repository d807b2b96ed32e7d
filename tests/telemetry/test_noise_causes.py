"""The causes of noise: each is named where the figures show it, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_throughput.telemetry.cgroup import throttled_seconds
from pytest_throughput.telemetry.noise_causes import MachineFigures, MachineWatch, StepFigures, name_causes

IDLE = MachineFigures(
    processors=4,
    others_processors=0.02,
    steal_share=0.0,
    throttled_share=0.0,
    frequencies_ghz=(3.4, 3.4),
    is_virtual=False,
    shares_cores=False,
)
STEADY = StepFigures(
    deviation=0.01,
    waiting_share=0.0,
    faults=0.0,
    faults_of_system=2.0,
    ratio_of_system=1.0,
    noise_of_system=0.01,
    noise=0.01,
)


def test_a_quiet_machine_has_no_cause() -> None:
    assert name_causes(IDLE, STEADY) == ["none was seen"]
    assert name_causes(replace(IDLE, is_virtual=True, shares_cores=True), STEADY) == ["none was seen"]


@pytest.mark.parametrize(
    ("machine", "step", "causes"),
    [
        ({"others_processors": 1.3}, {}, ["other programs: they kept 1.3 of 4 processors busy: cc1 (7);"]),
        ({}, {"waiting_share": 0.12}, ["other programs:"]),
        ({"others_processors": 1.3, "shares_cores": True}, {}, ["other programs:", "hardware threads:"]),
        ({"steal_share": 0.043}, {}, ["hypervisor: it gave 4.3 % of"]),
        ({"throttled_share": 0.2}, {"waiting_share": 0.2}, ["CPU quota: a cgroup held its processes up for 20 % of"]),
        ({"frequencies_ghz": (3.4, 2.1, 3.0)}, {}, ["frequency: between 2.10 and 3.40 GHz"]),
        ({"is_virtual": True}, {"deviation": 0.05}, ["virtual machine:"]),
        ({"is_virtual": True, "steal_share": 0.05}, {"deviation": 0.05}, ["hypervisor:"]),
        ({}, {"deviation": 0.05}, ["nothing was seen that explains this noise"]),
        (
            {},
            {"faults_of_system": 3072.0, "ratio_of_system": 1.2, "noise_of_system": 0.05},
            [
                "allocator: with --throughput-allocator system a step takes 1.2 times as long, with 3,072 page faults "
                "instead of 0, and its processes differ by 5.0 % instead of 1.0 %; the figures above are with tuned"
            ],
        ),
        (
            {},
            {"faults_of_system": 3072.0, "ratio_of_system": 0.97},
            [
                "allocator: with --throughput-allocator system a step takes 3,072 page faults instead of 0; the "
                "figures above are with tuned"
            ],
        ),
        ({}, {"faults": 3072.0, "faults_of_system": 3072.0}, ["allocator: the C library keeps no freed memory"]),
    ],
)
def test_a_cause_is_named_with_what_was_seen(
    machine: dict[str, object], step: dict[str, object], causes: list[str]
) -> None:
    found = name_causes(replace(IDLE, **machine), replace(STEADY, **step), ": cc1 (7)")  # type: ignore[arg-type]
    assert len(found) == len(causes)
    for sentence, beginning in zip(found, causes, strict=True):
        assert sentence.startswith(beginning)


def test_what_cannot_be_read_is_said() -> None:
    machine = replace(IDLE, steal_share=None, others_processors=None, throttled_share=None, frequencies_ghz=())
    found = name_causes(machine, replace(STEADY, waiting_share=None))
    assert found == ["none was seen", "cannot be read here: frequency, steal, waiting for a processor"]


def write(folder: Path, files: dict[str, str]) -> tuple[Path, Path]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "proc", folder / "sys"


def test_the_watch_reads_the_machine_before_and_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr("pytest_throughput.telemetry.noise_causes._own_seconds", lambda: 0.0)
    frequency = "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq"
    siblings = {f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings": "3\n" for number in range(2)}
    files = {"proc/cpuinfo": "flags\t: fpu hypervisor sse\n", "proc/self/cgroup": "0::/\n", **siblings}
    before = {"proc/stat": "cpu 0 0 0 0 0 0 0 0 0 0\n", "sys/fs/cgroup/cpu.stat": "throttled_usec 0\n"}
    watch = MachineWatch(*write(tmp_path, {**files, **before, frequency: "3400000\n"}))
    watch.look()
    after = {"proc/stat": "cpu 40 0 0 50 0 0 0 10 0 0\n", "sys/fs/cgroup/cpu.stat": "throttled_usec 5000000\n"}
    write(tmp_path, {**after, frequency: "2100000\n"})
    watch.look()
    found = watch.figures()
    assert found.others_processors == pytest.approx(1.0)
    assert found.steal_share == pytest.approx(0.1)
    assert found.throttled_share is not None and found.throttled_share > 1.0
    assert found.frequencies_ghz == (3.4, 2.1)
    assert found.is_virtual and found.shares_cores


def test_the_watch_knows_what_it_cannot_read(tmp_path: Path) -> None:
    watch = MachineWatch(tmp_path, tmp_path)
    watch.look()
    found = watch.figures()
    assert (found.others_processors, found.steal_share, found.throttled_share) == (None, None, None)
    assert found.frequencies_ghz == () and not found.is_virtual and not found.shares_cores


@pytest.mark.parametrize(
    ("files", "seconds"),
    [
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.stat": "usage_usec 9\nthrottled_usec 1500000\n"}, 1.5),
        ({"proc/self/cgroup": "4:cpu:/\n", "sys/fs/cgroup/cpu/cpu.stat": "throttled_time 2000000000\n"}, 2.0),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.stat": "throttled_usec 7000000\n"}, 7.0),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.stat": "nonsense\nthrottled_usec x\n"}, None),
        ({}, None),
    ],
)
def test_throttling_is_that_of_the_tightest_cgroup(
    tmp_path: Path, files: dict[str, str], seconds: float | None
) -> None:
    assert throttled_seconds(*write(tmp_path, files)) == (None if seconds is None else pytest.approx(seconds))
