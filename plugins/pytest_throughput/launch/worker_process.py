"""One worker process, seen from the pytest process: started, asked, timed out, buried."""

from __future__ import annotations

import math
import os
import secrets
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
from pytest_throughput.worker.protocol import PROTOCOL_VERSION, Outcome, Request, decode, encode

__all__ = ["Worker"]

_GRACE_SECONDS = 2.0
"""From a polite request to end until the kill."""
_MAX_LINE_BYTES = 64 * 2**20
_READ_BYTES = 2**16
_SHOWN_BYTES = 80
_LONGEST_POLL = 2**31 - 1
_MEMORY_SECONDS = 0.1
"""Between two looks at a worker's memory, where it is limited; else nobody looks."""


class _WorkerLost(Exception):
    """The worker will not answer; the status and the reason of its case."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Worker:
    """A process that runs trials, one after the other.

    While it measures, this process sleeps on the pipe; what the worker writes to standard error
    goes to a file, so that nobody has to wake up and read it.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        memory_limit_bytes: int | None = None,
        reaper: Reaper | None = None,
    ) -> None:
        """``memory_limit_bytes``: of the worker and all that it starts. ``reaper``: ends them if we die."""
        self._memory_limit_bytes = memory_limit_bytes
        self._reaper = reaper
        self._command = [*command, "-m", "pytest_throughput.worker.main"]
        self._environment = dict(environment)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``close``
        self._stderr_read = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd: int | None = None
        self._tree: ProcessTree | None = None
        self._oom_kills_before = 0
        self._pid: object = None
        """The worker's own number, which is another outside of a container."""
        self._received = bytearray()
        self.is_reusable = True
        """Whether, by its last answer, nothing of that trial is left that would slow or change the next one."""

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked again."""
        return self._process is not None and self._process.poll() is None

    def run(self, request: Request, timeout_seconds: float) -> Outcome:
        """Run one trial; a worker that does not answer in time, or at all, is killed.

        The seconds count the start of the process too. Never raises for what the worker does.
        """
        deadline = time.monotonic() + timeout_seconds
        self._oom_kills_before = kernel_oom_kills()
        request_id = secrets.token_hex(16)
        try:
            message = encode({"id": request_id, "folder": _current_folder(), "request": request.to_json()})
        except (TypeError, ValueError, RecursionError) as error:
            return Outcome("failed", reason=f"the arguments of {request.target} are not JSON: {error}")
        try:
            if self._process is None:
                self._start(deadline)
            self._refuse_unread("before this case began: a process or a thread of an earlier case, or what starts it")
            self._send(message, deadline)
            outcome = self._outcome(self._read_line(deadline), request_id)
            self._refuse_unread("after its answer: the step, or a process or a thread of it")
            return outcome
        except _WorkerLost as lost:
            self.kill()
            reason = lost.reason
            if lost.status == "timed_out":
                reason = f"no result within {timeout_seconds:g} s (--throughput-timeout); killed"
            return Outcome(lost.status, reason=reason)

    def _outcome(self, line: bytes, request_id: str) -> Outcome:
        """The answer on the line. Raises _WorkerLost if it is none, or another's."""
        try:
            answer = decode(line)
            if answer.get("id") == request_id and answer.get("pid") == self._pid:
                self.is_reusable = answer["reusable"] is True
                return Outcome.from_json(answer["outcome"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise _WorkerLost("crashed", f"the worker's answer cannot be read: {error}") from None
        raise _WorkerLost(
            "crashed",
            "what came on the worker's pipe is no answer to this case, its id or process is another: "
            "the step, or a process that it forked, wrote to a descriptor that is not its own",
        )

    def _refuse_unread(self, when: str) -> None:
        """Raises _WorkerLost if the worker has written what nothing asked for."""
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if poll.poll(0):
            self._received += os.read(descriptor, _READ_BYTES)
        if self._received:
            beginning = bytes(self._received[:_SHOWN_BYTES])
            raise _WorkerLost(
                "crashed", f"the worker's pipe held more bytes {when} wrote to it; they begin with {beginning!r}"
            )

    def new_stderr(self) -> str:
        """What the worker has written to standard error since this was last asked, its last 64 KiB."""
        text = self._unread_stderr()
        self._stderr_read = os.fstat(self._stderr.fileno()).st_size
        return text

    def close(self) -> None:
        """Ends the process, politely first, and everything that it started."""
        members = self._members()
        try:
            if self._process is not None and self._process.poll() is None:
                assert self._process.stdin is not None
                with suppress(OSError, subprocess.TimeoutExpired):
                    self._process.stdin.close()
                    self._process.wait(_GRACE_SECONDS)
        finally:
            self.kill()
            # Those that have left the session, too.
            ProcessTree.kill(members)
            self._stderr.close()

    def kill(self) -> None:
        """Ends the worker's whole session, its own children included, and reaps it.

        Terminated first: a wrapper such as ``docker run`` can pass that on, but not a kill. Whatever
        interrupts the wait for it, the kill follows.
        """
        if self._process is None:
            return
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
            if self._pidfd is not None:
                os.close(self._pidfd)
                self._pidfd = None
            if self._reaper is not None:
                self._reaper.release_group(self._process.pid)

    def _start(self, deadline: float) -> None:
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
            raise _WorkerLost("crashed", f"cannot start {self._command[0]!r}: {error.strerror}") from None
        if self._reaper is not None:
            self._reaper.guard_group(self._process.pid)
        with suppress(psutil.Error):  # It has ended already.
            self._tree = ProcessTree(self._process.pid)
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):  # An older kernel.
                self._pidfd = os.pidfd_open(self._process.pid)
        while True:
            line = self._read_line(deadline)
            try:
                message = decode(line)
            except ValueError:
                continue
            hello = message.get("hello")
            if hello == PROTOCOL_VERSION:
                self._pid = message.get("pid")
                return
            if hello is not None:
                reason = f"the worker speaks protocol {hello!r}, this pytest-throughput {PROTOCOL_VERSION}"
                raise _WorkerLost("crashed", reason)

    def _send(self, line: bytes, deadline: float) -> None:
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

    def _read_line(self, deadline: float) -> bytes:
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
                raise _WorkerLost("crashed", f"the worker wrote a line of over {_MAX_LINE_BYTES >> 20} MiB")
            self._await(descriptor, select.POLLIN, deadline)
            received = os.read(descriptor, _READ_BYTES)
            if not received:
                raise self._ended()
            self._received += received

    def _await(self, descriptor: int, event: int, deadline: float) -> None:
        """Sleeps until the pipe is ready; the end of the process or of its time is raised.

        A dead worker's children may hold its pipes open, so that the process is watched as well.
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
        raise _WorkerLost("timed_out", "timed out")

    def _check_memory(self, limit_bytes: int) -> None:
        used_bytes = 0 if self._tree is None else self._tree.memory_bytes()
        if used_bytes > limit_bytes:
            reason = (
                f"held {byte_count(used_bytes)}, and --throughput-memory-limit is {byte_count(limit_bytes)}; killed"
            )
            raise _WorkerLost("out_of_memory", reason)

    def _ended(self) -> _WorkerLost:
        """What to say of a worker that has ended, or will not answer any more."""
        assert self._process is not None
        try:
            status = self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return _WorkerLost("crashed", "the worker closed its output and went on")
        stderr = self._unread_stderr()
        reason = ran_out_of_memory(status, stderr, kernel_oom_kills() - self._oom_kills_before)
        return (
            _WorkerLost("crashed", describe_exit(status, stderr))
            if reason is None
            else _WorkerLost("out_of_memory", reason)
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


def _current_folder() -> str | None:
    """The folder that pytest runs in; None where it has been removed."""
    with suppress(OSError):
        return os.getcwd()
    return None
