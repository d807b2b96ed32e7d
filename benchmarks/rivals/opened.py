"""The steps that other tools measure, opened in their own process as the suite opens them.

The recorder names the cases in the variable ``COST_CASES``, a JSON object of the arguments of ``open_step`` by case id.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["CASES", "opened"]

CASES: dict[str, dict[str, Any]] = json.loads(os.environ.get("COST_CASES", "{}"))


@cache
def opened(case_id: str) -> Callable[[], object]:
    """Open a case, run its step once, and return the function to measure: the step and the wait for it.

    The first step compiles. A user whose function compiles calls it before the measurement. The step stays open, since
    asv calls ``setup`` before each sample.
    """
    from dlworkloads.opening import open_step

    step = open_step(**CASES[case_id])

    def run() -> None:
        step.wait(step.run())

    run()
    return run
