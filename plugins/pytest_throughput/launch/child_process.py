"""A process that is asked over its standard input and output, and watched for its end, time and memory."""

from __future__ import annotations

import math
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

from pytest_throughput.launch.exit_reason import describe_exit, kernel_oom_kills, ran_out_of_memory
from pytest_throughput.launch.process_tree import ProcessTree
from pytest_throughput.launch.reaper import Reaper
from pytest_throughput.text import byte_count

__all__ = ["ChildLost", "ChildProcess"]

_GRACE_SECONDS = 2.0
"""The time between the request to end and the kill."""
_MAX_LINE_BYTES = 64 * 2**20
_READ_BYTES = 2**16
_LONGEST_POLL = 2**31 - 1
_MEMORY_SECONDS = 0.1
"""The time between two readings of a worker's memory, if the memory is limited."""


class ChildLost(Exception):
    """The process will not answer. The exception has the status and the reason of its trial."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class ChildProcess:
    """A process with pipes to its standard streams, in a session of its own.

    While the process works, this process sleeps on the pipe. Standard error of the process goes to a file, so that
    this process need not wake up to read it.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        memory_limit_bytes: int | None = None,
        reaper: Reaper | None = None,
    ) -> None:
        """Prepare the process. ``memory_limit_bytes`` includes descendants; ``reaper`` ends all if pytest dies."""
        self._memory_limit_bytes = memory_limit_bytes
        self._reaper = reaper
        self._command = list(command)
        self._environment = dict(environment)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``close``
        self._stderr_read = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd: int | None = None
        self._tree: ProcessTree | None = None
        self._oom_kills_before = 0
        self._received = bytearray()
        self._is_killed = False

    @property
    def is_started(self) -> bool:
        """Whether ``start`` has been called."""
        return self._process is not None

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def memory_bytes(self) -> int:
        """The memory that it and its descendants hold; 0 if it has ended."""
        return self._tree.memory_bytes() if self._tree is not None and self.is_alive else 0

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory that it and its descendants have held; 0 if it has ended."""
        return self._tree.peak_bytes() if self._tree is not None and self.is_alive else 0

    def begin_trial(self) -> None:
        """Begin to count the processes that the kernel kills for lack of memory."""
        self._oom_kills_before = kernel_oom_kills()

    def unread(self) -> bytes:
        """Return the output that the process has written and nothing has read; only the beginning of a long one."""
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if poll.poll(0):
            self._received += os.read(descriptor, _READ_BYTES)
        return bytes(self._received)

    def new_stderr(self) -> str:
        """Return what the process has written to standard error since the last call, the last 64 KiB of it."""
        text = self._unread_stderr()
        self._stderr_read = os.fstat(self._stderr.fileno()).st_size
        return text

    def stop(self, pid: object) -> bool:
        """Stop the process and its descendants until ``resume``. See ``ProcessTree.stop``."""
        return self._tree is not None and self._tree.stop(pid)

    def resume(self) -> None:
        """Let the process go on after ``stop``."""
        if self._tree is not None:
            self._tree.resume()

    def close(self) -> None:
        """End the process and everything that it started. It is first asked to end, by the end of its input."""
        self.resume()
        members = self._members()
        try:
            if self._process is not None and self._process.poll() is None:
                assert self._process.stdin is not None
                with suppress(OSError, subprocess.TimeoutExpired):
                    self._process.stdin.close()
                    self._process.wait(_GRACE_SECONDS)
        finally:
            self.kill()
            # This includes processes that have left the session.
            ProcessTree.kill(members)
            self._stderr.close()

    def kill(self) -> None:
        """End the whole session of the process, its own children included, and reap it.

        The processes are first sent SIGTERM, which a wrapper such as ``docker run`` can pass on, unlike a kill. The
        kill follows even if the wait is interrupted.
        """
        if self._process is None or self._is_killed:
            return  # The id of a process that was reaped may belong to another process by now.
        self.resume()  # A stopped process does not see SIGTERM.
        members = self._members()
        try:
            self._signal_all(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
        finally:
            self._signal_all(signal.SIGKILL)
            ProcessTree.kill(members)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            self._is_killed = True
            if self._pidfd is not None:
                os.close(self._pidfd)
                self._pidfd = None
            if self._reaper is not None:
                self._reaper.release_group(self._process.pid)

    def start(self) -> None:
        """Start the process. Raise ChildLost if that is impossible."""
        try:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise ChildLost("crashed", f"cannot start {self._command[0]!r}: {error.strerror}") from None
        if self._reaper is not None:
            self._reaper.guard_group(self._process.pid)
        with suppress(psutil.Error):  # The process has ended already.
            self._tree = ProcessTree(self._process.pid)
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):  # Older kernels lack this.
                self._pidfd = os.pidfd_open(self._process.pid)

    def send(self, line: bytes, deadline: float) -> None:
        """Write to its standard input. Raise ChildLost if it does not read all by the deadline (``time.monotonic``)."""
        assert self._process is not None and self._process.stdin is not None
        descriptor = self._process.stdin.fileno()
        os.set_blocking(descriptor, False)
        message = memoryview(line)
        while message:
            self._await(descriptor, select.POLLOUT, deadline)
            try:
                message = message[os.write(descriptor, message) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._ended() from None

    def read_line(self, deadline: float) -> bytes:
        """Return the next line of its standard output. Raise ChildLost if none comes by the deadline."""
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        searched = 0
        while True:
            end = self._received.find(b"\n", searched)
            if end >= 0:
                line = bytes(self._received[:end])
                del self._received[: end + 1]
                return line
            searched = len(self._received)
            if searched > _MAX_LINE_BYTES:
                raise ChildLost("crashed", f"the worker wrote a line of over {_MAX_LINE_BYTES >> 20} MiB")
            self._await(descriptor, select.POLLIN, deadline)
            received = os.read(descriptor, _READ_BYTES)
            if not received:
                raise self._ended()
            self._received += received

    def _await(self, descriptor: int, event: int, deadline: float) -> None:
        """Sleep until the pipe is ready. Raise ChildLost if the process ends, or its time is over.

        The children of a dead worker may hold its pipes open, so the process is watched as well.
        """
        poll = select.poll()
        poll.register(descriptor, event)
        if self._pidfd is not None:
            poll.register(self._pidfd, select.POLLIN)
        while (remaining_seconds := deadline - time.monotonic()) > 0:
            sleep_seconds = remaining_seconds
            if self._memory_limit_bytes is not None:
                self._check_memory(self._memory_limit_bytes)
                sleep_seconds = min(sleep_seconds, _MEMORY_SECONDS)
            ready = dict(poll.poll(min(math.ceil(1000 * sleep_seconds), _LONGEST_POLL)))
            if descriptor in ready:
                return
            if ready:
                raise self._ended()
        raise ChildLost("timed_out", "timed out")

    def _check_memory(self, limit_bytes: int) -> None:
        used_bytes = 0 if self._tree is None else self._tree.memory_bytes()
        if used_bytes > limit_bytes:
            reason = (
                f"held {byte_count(used_bytes)}, and --throughput-memory-limit is {byte_count(limit_bytes)}; killed"
            )
            raise ChildLost("out_of_memory", reason)

    def _ended(self) -> ChildLost:
        """Return the error that says why the process has ended, or will not answer any more."""
        assert self._process is not None
        try:
            status = self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return ChildLost("crashed", "the worker closed its output and went on")
        stderr = self._unread_stderr()
        reason = ran_out_of_memory(status, stderr, kernel_oom_kills() - self._oom_kills_before)
        return (
            ChildLost("crashed", describe_exit(status, stderr))
            if reason is None
            else ChildLost("out_of_memory", reason)
        )

    def _unread_stderr(self) -> str:
        size = os.fstat(self._stderr.fileno()).st_size
        start = max(self._stderr_read, size - _READ_BYTES)
        return os.pread(self._stderr.fileno(), size - start, start).decode("utf-8", "replace")

    def _members(self) -> list[psutil.Process]:
        return [] if self._tree is None or not self.is_alive else self._tree.members()

    def _signal_all(self, number: int) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
