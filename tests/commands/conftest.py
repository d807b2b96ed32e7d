"""The command line, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import result_files

from pytest_throughput.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("gate", "run.json", …)``: the exit status, and what was written to the two outputs, in a folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as ended:  # Of argparse.
            status = int(str(ended.code))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[str]]:
    """``files("a", range(3), …)``: the names of result files of ours, one for each seed."""

    def write(stem: str, seeds: Any, **how: Any) -> list[str]:
        return [
            Path(result_files.write(tmp_path, f"{stem}{seed}.json", result_files.our_document(seed, **how))).name
            for seed in seeds
        ]

    return write
