"""The exit statuses of pytest-throughput, beside those of pytest."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """The exit status of a run or of a command; pytest's own non-zero status takes precedence over these."""

    OK = 0
    BAD_USAGE = 2
    """The command line could not be understood, or a file could not be read; for the command line only."""
    REGRESSED = 10
    """A case is slower by the threshold or more."""
    MISSING_OR_FAILED = 11
    """A case of the baseline was not measured, or its status is worse than there."""
    NOTHING_COMPARABLE = 12
    """There is no baseline, none of this hardware, or no case that could have been decided."""
    INCONCLUSIVE = 13
    """A case is inconclusive, incomparable or underpowered, where ``--fail-on`` asks to fail on that."""
    NOT_WRITTEN = 14
    """The results or the output could not be written."""
    NOTHING_MEASURED = 15
    """No test measured anything, although all of them measure; or ``doctor --noise`` could not measure."""
