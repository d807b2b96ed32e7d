"""The signals that end a run: it stops as after Ctrl-C, and what it has measured is kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Ended", "Signals"]

_ENDING = ("SIGTERM", "SIGHUP")


class Ended(KeyboardInterrupt):
    """Somebody has asked this process to end; pytest does for it what it does for Ctrl-C."""


class Signals:
    """Turns SIGTERM (a batch system's) and SIGHUP (a terminal closed) into ``Ended`` while a run measures."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def catch(self) -> None:
        """From now on. What is ignored, as under ``nohup``, or handled by somebody else stays so."""
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets the main thread alone set handlers.
        for name in _ENDING:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                self._before[number] = signal.signal(number, _end)

    def release(self) -> None:
        """Until now."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()


def _end(number: int, _: FrameType | None) -> None:
    raise Ended(f"{signal.Signals(number).name} was received")
