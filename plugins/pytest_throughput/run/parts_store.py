"""Keep the ended parts of phases, such as epochs, until the phase has ended: a later run goes on after the last one.

The worker writes a file beside the journal with what the phase needs to go on; the journal has a line for each part.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import Journal, StartedTrial
from pytest_throughput.worker.parts import EndedPart, KeptParts

__all__ = ["Key", "PartsStore"]

Key = tuple[str, str, int]
"""The case, environment and number, which identify a trial."""


class PartsStore:
    """The files of trials that have ended parts and have not ended well themselves."""

    def __init__(self, journal: Journal, started: Mapping[Key, StartedTrial]) -> None:
        """Take over the trials that the resumed journal has started.

        All other files of that name are removed, or stay with an older journal that was put aside.
        """
        self._journal = journal
        # Worker and test may run in another folder.
        self._path = Path(os.path.abspath(journal.path))
        self._started = {key: each for key, each in started.items() if self._file(key, each.part.number).is_file()}
        self._went_on: set[Key] = set()
        """Trials of this run that do not begin anew."""
        self.lost = tuple(each for key, each in started.items() if key not in self._started)
        """Trials whose file is no longer there; they begin anew."""
        wanted = {self._file(key, each.part.number).name for key, each in self._started.items()}
        others = [path for path in self._files() if path.name not in wanted]
        if journal.put_aside is not None:
            for path in others:
                with suppress(OSError):
                    path.rename(path.with_name(path.name.replace(journal.path.name, journal.put_aside.name, 1)))
        else:
            self._remove(others)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a later run could go on with."""
        return not self._started

    @property
    def continued_trials(self) -> int:
        """How many trials did not begin anew."""
        return len(self._went_on)

    def kept(self, key: Key, phase: str) -> KeptParts:
        """Return where the worker keeps the parts of the phase that a trial is about, and its last part so far."""
        started = self._started.get(key)
        if started is not None:
            self._went_on.add(key)
        return KeptParts(phase, str(self._prefix(key)), None if started is None else started.part)

    def keep(self, key: Key, started_at: str, part: EndedPart) -> None:
        """Write down a part that the worker has saved, and remove the file of the one before."""
        earlier = self._started.get(key)
        each = StartedTrial(*key, started_at, part) if earlier is None else replace(earlier, part=part)
        self._started[key] = each
        self._journal.add_part(each)
        wanted = self._file(key, part.number)
        self._remove(path for path in self._files(key) if path != wanted)

    def continued(self, ended: EndedTrial) -> EndedTrial:
        """Return the trial; one that went on after a part of an earlier trial is marked as resumed, and began then."""
        started = self._started.get(ended.key)
        if started is None or ended.key not in self._went_on:
            return ended
        return replace(ended, started_at=started.started_at, resumed=True)

    def settle(self, ended: EndedTrial) -> None:
        """Remove the files of a trial that has ended well; a later run goes on with one that has not."""
        if ended.key in self._started and ended.outcome.status == "ok":
            del self._started[ended.key]
            self._remove(self._files(ended.key))

    def _prefix(self, key: Key) -> Path:
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
        return self._path.with_name(f"{self._path.name}.{digest}-")

    def _file(self, key: Key, number: int) -> Path:
        return Path(KeptParts("", str(self._prefix(key))).file_after(number))

    def _files(self, key: Key | None = None) -> Iterator[Path]:
        """Yield the files of a trial, or of all trials of the journal; those that the worker has not finished, too."""
        folder = self._path.parent
        beginning = f"{self._path.name}." if key is None else self._prefix(key).name
        digest = "[0-9a-f]{16}-" if key is None else ""
        name = re.compile(rf"{re.escape(beginning)}{digest}[0-9]+\.state(\.unfinished)?")
        with suppress(OSError):
            yield from [folder / entry for entry in os.listdir(folder) if name.fullmatch(entry)]

    def _remove(self, paths: Iterable[Path]) -> None:
        """Remove the files, unless a line on the disk may name them.

        That can be an earlier line of the journal, or one of a journal whose place it could not take.
        """
        if not self._journal.is_written:
            return
        for path in paths:
            with suppress(OSError):
                path.unlink()
