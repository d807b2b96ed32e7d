"""The steps as tests of pytest-benchmark: one process for all steps of a session."""

from __future__ import annotations

from typing import Any

import pytest
from rivals.opened import CASES, opened


@pytest.mark.parametrize("case", CASES)
def test_step(benchmark: Any, case: str) -> None:
    benchmark(opened(case))
