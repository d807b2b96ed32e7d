"""Mutants of real files: shown, judged, or refused with one line. ``benchmarks/fuzz.py`` tries as many as you like."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutations import Fuzzer, RealFiles, write_real_files


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RealFiles:
    return write_real_files(tmp_path_factory.mktemp("real"))


@pytest.mark.parametrize(("seed", "mutants"), [(1, 100), pytest.param(2, 500, marks=pytest.mark.slow)])
def test_no_mutant_of_a_real_file_does_harm(real: RealFiles, tmp_path: Path, seed: int, mutants: int) -> None:
    fuzzer = Fuzzer(tmp_path, real, seed)
    assert [problem for _ in range(mutants) for problem in fuzzer.try_one()] == []
