"""The signals that end a run: it stops as after Ctrl-C, and what it has measured is kept."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Any

__all__ = ["Ended", "Signals"]

_DEFAULTS = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
"""The signals that end a run, and what they do where nothing else was asked for."""
_PATIENCE_SECONDS = 10.0
"""A further signal so long after the one that was noted is obeyed at once: the results may never be written."""
_REPEAT_SECONDS = 2.0
"""A further signal so soon after the end of an interrupted run belongs to the same interruption."""


class Ended(KeyboardInterrupt):
    """Somebody has asked this process to end; pytest does for it what it does for Ctrl-C."""


class Signals:
    """Turns Ctrl-C, SIGTERM (of a batch system) and SIGHUP (of a closed terminal) into the orderly end of a run.

    While trials are measured, a signal raises KeyboardInterrupt or ``Ended``. While results are written it is noted,
    since an exception would leave them half written; the run then ends with status 2.
    """

    def __init__(self) -> None:
        self.noted: int | None = None
        """The first signal that was received while they were deferred."""
        self._noted_at = 0.0
        self._received = False
        self._deferred = False
        self._released_at: float | None = None
        self._before: dict[int, Any] = {}

    def catch(self) -> None:
        """Handle the signals from now on. One that is ignored, as under ``nohup``, or handled otherwise stays so."""
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets the main thread alone set handlers.
        for name, default in _DEFAULTS.items():
            number = getattr(signal, name, None)
            if number is None:
                continue
            handler = signal.getsignal(number)
            earlier = getattr(handler, "__self__", None)
            if isinstance(earlier, Signals):  # An interrupted run of the same process.
                earlier._restore()
                handler = signal.getsignal(number)
            if handler is default:
                self._before[number] = signal.signal(number, self._handle)

    def defer(self) -> None:
        """Only note signals from now on."""
        self._deferred = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer signals for what must not be left half done, and raise what was noted at its end."""
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before
        if self.noted is not None and not before:
            number, self.noted = self.noted, None
            raise _exception(number)

    def release(self) -> None:
        """Handle the signals no more."""
        if not self._received:
            self._restore()
            return
        # A user who presses Ctrl-C twice means one run: the second must not end Python with another status.
        self._released_at = monotonic()
        if self._before:
            atexit.register(self._ignore)

    def _handle(self, number: int, _: FrameType | None) -> None:
        __tracebackhide__ = True
        self._received = True
        if self._released_at is not None:
            if monotonic() - self._released_at > _REPEAT_SECONDS:
                self._restore()
                os.kill(os.getpid(), number)
            return
        if self._deferred and self.noted is None:
            self.noted, self._noted_at = number, monotonic()
        if not self._deferred or monotonic() - self._noted_at > _PATIENCE_SECONDS:
            raise _exception(number)

    def _ignore(self) -> None:
        for number in self._before:
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_IGN)

    def _restore(self) -> None:
        atexit.unregister(self._ignore)
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()


def _exception(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Ended(f"{signal.Signals(number).name} was received")
