"""Explain why a worker has ended: the name of the signal, its last lines, and whether memory was the cause."""

from __future__ import annotations

import re
import signal
from pathlib import Path

__all__ = ["describe_exit", "kernel_oom_kills", "last_words", "ran_out_of_memory"]

_LAST_LINES = 3
_ASKED_TO_END = 128
"""A shell, and so a wrapper, exits with this plus the number of the signal that ended its command."""
_FATAL = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL)
_REFUSAL = re.compile(
    r"^.*(?:std::bad_alloc|std::bad_array_new_length"  # C++
    r"|OOM when allocating tensor"  # TensorFlow, before an operation on the CPU goes on without its memory
    r"|host allocation of size \d+ failed"  # Caffe
    r"|cannot allocate memory for thread-local data).*$",  # the C library, which then exits with 127
    re.MULTILINE,
)
_ASKED_FOR = re.compile(r"ran out of memory trying to allocate ([\d.]+ ?[KMGT]?i?B)")
_C_LIBRARY_GIVES_UP = 127
_FATAL_LINE = re.compile(r"^F\d{4} [\d:.]+ +\d+ (\S+:\d+)\] (.+)$", re.MULTILINE)
"""What a library that logs by glog or Abseil, such as Caffe, has written before it called abort(3)."""
_FAULT = re.compile(r"^Fatal Python error: (.+)$", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.MULTILINE)


def describe_exit(status: int, stderr: str) -> str:
    """Return ``the worker was killed by SIGSEGV (Segmentation fault); its last lines: …``.

    ``status``: ``Popen.returncode``.
    """
    ended = f"was killed by {_signal_name(-status)}" if status < 0 else f"exited with status {status}"
    words = last_words(stderr)
    return f"the worker {ended}" + (f"; {words}" if words else "")


def last_words(stderr: str) -> str:
    """Return the part of standard error about the end: a fatal line, the place of a fault, or else the last lines."""
    fault = _FAULT.search(stderr)
    frame = _FRAME.search(stderr, fault.end()) if fault else None
    place = f" in {frame.group(3)}, {frame.group(1)}:{frame.group(2)}" if frame else ""
    fatal_lines = _FATAL_LINE.findall(stderr)
    if fatal_lines:
        source, text = fatal_lines[-1]
        return f"its last line: {text.strip()} ({source}){place}"
    if fault and frame:
        return f"{fault.group(1)}{place}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return "its last lines: " + " | ".join(lines[-_LAST_LINES:]) if lines else ""


def ran_out_of_memory(status: int, stderr: str, oom_kills: int) -> str | None:
    """Return why memory was the cause of the end; None if it was not.

    ``oom_kills``: how many processes the kernel has killed for lack of memory during the trial. A worker that was
    killed by the same signal is taken to be one of them.
    """
    killed = status in (-signal.SIGKILL, _ASKED_TO_END + signal.SIGKILL)
    if killed and oom_kills > 0:
        return "the kernel's out-of-memory killer ended the worker (of the machine, or of a cgroup such as a container)"
    fatal = -status in _FATAL or status - _ASKED_TO_END in _FATAL or status == _C_LIBRARY_GIVES_UP
    refusals = _REFUSAL.findall(stderr) if fatal else []
    if refusals:
        asked_for = _ASKED_FOR.findall(stderr)
        return f"the allocator refused{f' {asked_for[-1]}' if asked_for else ''}: {refusals[-1].strip()}"
    return None


def kernel_oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int:
    """Return how many processes the kernel has killed for lack of memory since it booted; 0 where unknown."""
    try:
        for line in vmstat.read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    description = signal.strsignal(number)
    return f"{name} ({description})" if description else name
