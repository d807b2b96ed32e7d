"""End processes that a step forks as soon as they return from the step.

``os.fork`` returns twice. The second process must not go on measuring, and must not report what it
measured as if it were the first.
"""

from __future__ import annotations

import os
import traceback
from contextlib import contextmanager, suppress
from os import getpid  # A test may put another function in the place of os.getpid.
from typing import Iterator

__all__ = ["ending_forked_children"]


@contextmanager
def ending_forked_children() -> Iterator[None]:
    """End a process that the body forked when it leaves the body; nothing of it is flushed or cleaned up.

    Its exit status is that of ``sys.exit``, 1 after another exception, else 0.
    """
    pid = getpid()
    try:
        yield
    except BaseException as error:
        if getpid() != pid:
            _end_after(error)
        raise
    if getpid() != pid:
        os._exit(0)


def _end_after(error: BaseException) -> None:
    status = 1
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        status = (error.code or 0) & 0xFF
    else:
        with suppress(BaseException):  # The step may have closed standard error.
            traceback.print_exception(type(error), error, error.__traceback__)
    os._exit(status)
