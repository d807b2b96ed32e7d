"""What the kernel says of this process's memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_throughput.measurement.memory import peak_resident_bytes, reset_peak_resident, swapped_bytes


def test_the_kernels_kibibytes_are_read(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmPeak:\t  9 kB\nVmHWM:\t   12 kB\nVmRSS:\t   11 kB\nVmSwap:\t    7 kB\n")
    assert peak_resident_bytes(str(status)) == 12 * 1024
    assert swapped_bytes(str(status)) == 7 * 1024


@pytest.mark.parametrize("text", ["", "VmHWM:\nVmSwap:\n", "VmHWM:\tmany kB\nVmSwap:\tmany kB\n"])
def test_what_is_not_said_is_unknown(tmp_path: Path, text: str) -> None:
    status = tmp_path / "status"
    status.write_text(text)
    assert peak_resident_bytes(str(status)) is None
    assert swapped_bytes(str(status)) is None
    assert swapped_bytes(str(tmp_path / "missing")) is None


def test_a_kernel_that_cannot_restart_the_count_says_so(tmp_path: Path) -> None:
    assert not reset_peak_resident(str(tmp_path / "missing" / "clear_refs"))
    assert reset_peak_resident(str(tmp_path / "clear_refs"))
    assert (tmp_path / "clear_refs").read_text() == "5"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
def test_this_process_holds_something() -> None:
    assert (peak_resident_bytes() or 0) > 2**20
    assert swapped_bytes() is not None
