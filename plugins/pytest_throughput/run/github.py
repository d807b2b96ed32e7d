"""What GitHub Actions shows of a run that is judged: annotations, and the verdicts in the summary of its step."""

from __future__ import annotations

import os

import pytest

from pytest_throughput.run.gate import Gate
from pytest_throughput.run.output import annotate, show

__all__ = ["GitHub", "is_in_github_actions"]


def is_in_github_actions() -> bool:
    """Return whether this process is a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


class GitHub:
    """The hook that writes for GitHub Actions what the gate has found."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @pytest.hookimpl(trylast=True)  # The table of verdicts comes first.
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        judgement = self._gate.judgement
        if judgement is None:
            return
        from pytest_throughput.report.github import github_annotations
        from pytest_throughput.report.verdict_table import as_markdown

        annotate(terminalreporter, github_annotations(judgement, self._gate.fails_on))
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            try:
                with open(summary, "a", encoding="utf-8") as file:
                    file.write(f"{as_markdown(judgement)}\n\n")
            except OSError as error:
                show(terminalreporter, f"the summary of the step could not be written: {error.strerror}")
