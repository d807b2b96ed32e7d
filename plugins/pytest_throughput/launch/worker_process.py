"""A worker process and the trials that it runs. Only the worker's own answers are accepted."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from pytest_throughput.launch.child_process import ChildLost, ChildProcess
from pytest_throughput.launch.reaper import Reaper
from pytest_throughput.measurement.kernel import Profile
from pytest_throughput.worker.profiling import profile_info
from pytest_throughput.worker.protocol import PROTOCOL_VERSION, Outcome, Progress, Request, decode, encode
from pytest_throughput.worker.running_trial import run_to_end

__all__ = ["Worker", "WorkerTrial"]

T = TypeVar("T")

_SHOWN_BYTES = 80
_BEFORE = "before this case began: a process or a thread of an earlier case, or what starts it"
_AFTER = "after its answer: the step, or a process or a thread of it"
_ANOTHERS = (
    "what came on the worker's pipe is no answer to this case, its id or process is another: "
    "the step, or a process that it forked, wrote to a descriptor that is not its own"
)


class Worker:
    """A process that runs trials, one after the other."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        arguments: Sequence[str] = (),
        *,
        memory_limit_bytes: int | None = None,
        reaper: Reaper | None = None,
    ) -> None:
        """Prepare a worker that ``command`` starts.

        ``arguments``: those of ``worker_arguments``. For the other arguments see ``ChildProcess``.
        """
        command = [*command, "-m", "pytest_throughput.worker.main", *arguments]
        self.process = ChildProcess(command, environment, memory_limit_bytes=memory_limit_bytes, reaper=reaper)
        self._pid: object = None
        """The process id that the worker reports, which in a container differs from the id outside."""
        self.is_reusable = True
        """Whether, by its last answer, nothing of that trial is left that could slow or change the next one."""

    @property
    def is_alive(self) -> bool:
        """Whether the worker can run another trial."""
        return self.process.is_alive

    def begin(self, request: Request, timeout_seconds: float) -> WorkerTrial:
        """Return a trial that the caller takes through its calls. A worker has one trial at a time.

        ``timeout_seconds``: how long the worker may be busy with the trial; the first trial includes its start.
        """
        return WorkerTrial(self, request, timeout_seconds)

    def run(self, request: Request, timeout_seconds: float) -> Outcome:
        """Run a whole trial; a worker that does not answer in time, or at all, is killed."""
        return run_to_end(self.begin(request, timeout_seconds))

    def ask(self, question: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """Return the answer to a question. Raise ChildLost if there is none, or it is not the worker's own.

        ``deadline``: by ``time.monotonic``.
        """
        self.process.resume()
        opens = question["do"] == "open"
        if not self.process.is_started:
            self._start(deadline)
        self._refuse_unread(_BEFORE if opens else _AFTER)
        question_id = secrets.token_hex(16)
        self.process.send(encode({"id": question_id, **question}), deadline)
        answer = self._read_answer(deadline)
        if answer.get("id") != question_id or answer.get("pid") != self._pid:
            raise ChildLost("crashed", _ANOTHERS)
        self._refuse_unread(_AFTER)
        return answer

    def stop(self) -> bool:
        """Stop the worker until the next question; return false if it runs elsewhere, where it waits for the question.

        Raise PermissionError if one of its processes belongs to another user.
        """
        return self.process.stop(self._pid)

    def new_stderr(self) -> str:
        """Return what the worker has written to standard error since the last call, the last 64 KiB of it."""
        return self.process.new_stderr()

    def kill(self) -> None:
        """End the worker and its descendants at once."""
        self.process.kill()

    def close(self) -> None:
        """Let the worker end, and end its descendants."""
        self.process.close()

    def _start(self, deadline: float) -> None:
        self.process.start()
        while True:
            try:
                message = decode(self.process.read_line(deadline))
            except ValueError:
                continue
            hello = message.get("hello")
            if hello == PROTOCOL_VERSION:
                self._pid = message.get("pid")
                return
            if hello is not None:
                reason = f"the worker speaks protocol {hello!r}, this pytest-throughput {PROTOCOL_VERSION}"
                raise ChildLost("crashed", reason)

    def _read_answer(self, deadline: float) -> dict[str, Any]:
        line = self.process.read_line(deadline)
        try:
            return decode(line)
        except ValueError as error:
            raise _unreadable(error) from None

    def _refuse_unread(self, when: str) -> None:
        """Raise ChildLost if the worker has written more than its answers."""
        unread = self.process.unread()
        if unread:
            beginning = unread[:_SHOWN_BYTES]
            raise ChildLost(
                "crashed", f"the worker's pipe held more bytes {when} wrote to it; they begin with {beginning!r}"
            )


class WorkerTrial:
    """A trial in a worker. See ``RunningTrial`` for its calls. No call raises because of the worker.

    An interruption of a call kills the worker: its late answer would be taken for that of the next trial.
    """

    def __init__(self, worker: Worker, request: Request, timeout_seconds: float) -> None:
        self._worker = worker
        self._request = request
        self._timeout_seconds = timeout_seconds
        self._seconds_left = timeout_seconds
        self._phases: tuple[str, ...] = ()
        self._ended_phases: list[Outcome] = []
        self._failure: Outcome | None = None
        """The outcome of a trial that has ended without an answer of the worker."""

    def open(self) -> Progress:
        self._worker.process.begin_trial()
        request: dict[str, Any] = {}
        try:
            request = self._request.to_json()
            encode(request)
        except (TypeError, ValueError, RecursionError) as error:
            self._failure = Outcome("failed", reason=f"the arguments of {self._request.target} are not JSON: {error}")
        progress = self._progress({"do": "open", "folder": _current_folder(), "request": request})
        self._phases = progress.phases
        return progress

    def warm_up(self) -> Progress:
        return self._progress({"do": "warm_up"})

    def measure(self, slice_seconds: float = math.inf) -> Progress:
        seconds = None if math.isinf(slice_seconds) else slice_seconds
        progress = self._progress({"do": "measure", "seconds": seconds})
        if progress.ended_phase is not None:
            self._ended_phases.append(progress.ended_phase)
        return progress

    def close(self) -> Outcome:
        measured = self._ask({"do": "outcome"}, _outcome_of)
        if measured is not None and self._request.profile is not None:
            measured = self._profiled(measured, self._request.profile)
        closed = self._ask({"do": "close"}, self._read_outcome)
        if closed is not None:
            return closed
        if measured is not None:  # Measuring products, or closing the target, has ended the worker.
            return measured
        assert self._failure is not None
        # Phases that had ended before the worker was lost keep their outcomes.
        return Outcome.of_phases(self._phases, self._ended_phases, self._failure)

    def _profiled(self, measured: Outcome, profile: Profile) -> Outcome:
        """Return the outcome with what a profiler says; if the worker is lost in it, with the reason."""
        profiled = self._ask({"do": "profile"}, _outcome_of)
        if profiled is not None:
            return profiled
        assert self._failure is not None
        reason = f"{self._failure.status}: {self._failure.reason}"
        return replace(measured, metadata={**measured.metadata, **profile_info(profile, reason)})

    def stop(self) -> bool:
        return self._worker.stop()

    def kill(self) -> None:
        """Give the trial up, and kill the worker."""
        self._worker.kill()

    def _progress(self, question: Mapping[str, Any]) -> Progress:
        progress = self._ask(question, lambda answer: Progress.from_json(answer["progress"]))
        return Progress(is_finished=True) if progress is None else progress

    def _read_outcome(self, answer: Mapping[str, Any]) -> Outcome:
        self._worker.is_reusable = answer["reusable"] is True
        return _outcome_of(answer)

    def _ask(self, question: Mapping[str, Any], read: Callable[[dict[str, Any]], T]) -> T | None:
        """Return what ``read`` makes of the worker's answer; None if the trial has failed, now or earlier."""
        if self._failure is not None:
            return None
        began_at = time.monotonic()
        try:
            answer = self._worker.ask(question, began_at + self._seconds_left)
            try:
                return read(answer)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                raise _unreadable(error) from None
        except ChildLost as lost:
            self._worker.kill()
            reason = lost.reason
            if lost.status == "timed_out":
                reason = f"no result within {self._timeout_seconds:g} s (--throughput-timeout); killed"
            self._failure = Outcome(lost.status, reason=reason)
            return None
        except BaseException:
            self._worker.kill()
            raise
        finally:
            self._seconds_left -= time.monotonic() - began_at


def _outcome_of(answer: Mapping[str, Any]) -> Outcome:
    return Outcome.from_json(answer["outcome"])


def _unreadable(error: Exception) -> ChildLost:
    return ChildLost("crashed", f"the worker's answer cannot be read: {error}")


def _current_folder() -> str | None:
    """Return the folder that pytest runs in; None where it has been removed."""
    with suppress(OSError):
        return os.getcwd()
    return None
