"""Resume the journal of an interrupted run, if it belongs to the same measurement."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import Heading, Journal, StartedTrial
from pytest_throughput.results.journal_reader import JournalContent, read_journal
from pytest_throughput.results.owned_file import OwnedFile
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.run.parts_store import Key
from pytest_throughput.text import printable

__all__ = ["Key", "Resumed", "resume"]


@dataclass(frozen=True)
class Resumed:
    """A journal that this run resumes."""

    journal: Journal
    trials: Mapping[Key, EndedTrial]
    """The trials in the journal. They are not measured again."""
    started: Mapping[Key, StartedTrial]
    """The trials with which this run goes on after their last part."""
    damage: str | None
    """A sentence about the damage in the journal; None if there is none."""


def resume(path: Path, heading: Heading, asked: Collection[Key]) -> Resumed:
    """Open the journal to resume it. Raise pytest.UsageError if it cannot be read, written or used.

    ``heading``: the description of this run. ``asked``: the trials that this run asks for. Raise InUse for the journal
    of a run that has not ended.
    """
    shown = printable(str(path))
    # The target of a link is opened, so that the link itself stays.
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    file: OwnedFile | None = None
    try:
        if path.is_file():  # The reader below refuses anything else.
            file = OwnedFile.take_over(path)
        content = read_journal(path)
        _refuse_another_measurement(shown, content, heading)
        _refuse_other_trials(shown, content, asked)
    except BaseException as error:
        if file is not None:
            file.close()
        if isinstance(error, Unreadable):
            raise pytest.UsageError(f"--throughput-resume: {error}") from None
        if isinstance(error, OSError):
            raise pytest.UsageError(
                f"--throughput-resume: the journal {shown} cannot be written: {error.strerror}; "
                "give a copy in a writable folder"
            ) from None
        raise
    started = {each.key: each for each in content.started}
    trials = {ended.key: ended for ended in content.trials}
    # A training that was cut short or has failed goes on after its last epoch.
    trials = {key: ended for key, ended in trials.items() if key not in started or ended.outcome.status == "ok"}
    started = {key: each for key, each in started.items() if key not in trials}
    return Resumed(Journal(path, file=file, length=content.length), trials, started, content.damage())


def _refuse_another_measurement(shown: str, content: JournalContent, heading: Heading) -> None:
    both = content.heading, heading
    for what, (then, now) in {
        "hardware": [each.fingerprint for each in both],
        "settings": [each.settings for each in both],
    }.items():
        if then != now:
            raise pytest.UsageError(
                f"--throughput-resume: {shown} was measured with other {what} ({_difference(then, now)}), and one "
                f"result does not mix them; its arguments were: {_command(content)}"
            )


def _refuse_other_trials(shown: str, content: JournalContent, asked: Collection[Key]) -> None:
    held = {ended.key for ended in content.trials} | {started.key for started in content.started}
    unasked = sorted(held - set(asked))
    if unasked:
        case_id, environment, trial = unasked[0]
        raise pytest.UsageError(
            f"--throughput-resume: {shown} holds {len(unasked)} of {len(held)} trials that "
            f"this run does not ask for, such as trial {trial} of {printable(case_id)} ({printable(environment)}); "
            f"give the same tests and options again, which were: {_command(content)}"
        )


def _command(content: JournalContent) -> str:
    return printable(" ".join(content.heading.command))


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name)]
    return "; ".join(f"{_short(name)} then {_short(then.get(name))}, now {_short(now.get(name))}" for name in names)


def _short(value: object) -> str:
    return printable(str(value))[:200]
