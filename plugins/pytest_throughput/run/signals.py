"""Handle the signals that end a run: it stops as after Ctrl-C, and keeps the trials that have ended."""

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
"""The signals that end a run, and their default handlers."""
_PATIENCE_SECONDS = 10.0
"""The time after a deferred signal from which a further one is obeyed at once: writing may never end."""
_REPEAT_SECONDS = 2.0
"""The time after the end of an interrupted run in which a further signal belongs to the same interruption."""


class Ended(KeyboardInterrupt):
    """A signal has asked this process to end. pytest handles this exception as it handles Ctrl-C."""


class Signals:
    """Turns Ctrl-C, SIGTERM (of a batch system) and SIGHUP (of a closed terminal) into the orderly end of a run.

    While trials are measured, a signal raises KeyboardInterrupt or ``Ended``. While results are written it is noted,
    since an exception would leave them half written; the run then ends with status 2.
    """

    def __init__(self) -> None:
        self.noted: int | None = None
        """The first signal that was received while signals were deferred; None if there was none."""
        self._noted_at = 0.0
        self._received = False
        self._deferred = False
        self._released_at: float | None = None
        self._before: dict[int, Any] = {}

    def catch(self) -> None:
        """Begin to handle the signals, except ignored ones, as under ``nohup``, and those with another handler."""
        if threading.current_thread() is not threading.main_thread():
            return  # In Python only the main thread can set handlers.
        for name, default in _DEFAULTS.items():
            number = getattr(signal, name, None)
            if number is None:
                continue
            handler = signal.getsignal(number)
            earlier = getattr(handler, "__self__", None)
            if isinstance(earlier, Signals):  # The handler of an interrupted run in the same process.
                earlier._restore()
                handler = signal.getsignal(number)
            if handler is default:
                self._before[number] = signal.signal(number, self._handle)

    def defer(self) -> None:
        """Begin to defer signals, which are then only noted."""
        self._deferred = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer signals within the body, which must not be left half done; raise a noted signal at its end."""
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before
        if self.noted is not None and not before:
            number, self.noted = self.noted, None
            raise _exception(number)

    def release(self) -> None:
        """Stop handling the signals."""
        if not self._received:
            self._restore()
            return
        # A second Ctrl-C for the same run must not end Python with another status.
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
