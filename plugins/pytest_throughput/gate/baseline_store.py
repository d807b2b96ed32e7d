"""The baseline store: accepted runs in a folder or at a URL, with a folder for each hardware and a file for each run.

A file is written once; only its note changes. Its name consists of the run's time and a digest of its other
content. Therefore two jobs can accept at the same time without a lock, accepting a run twice has no
further effect, and a repository of baselines merges without conflicts. No text from a result file, such
as a case id, becomes part of a path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_throughput.gate.judged import JudgedRun, hardware_key
from pytest_throughput.gate.local_files import LocalFiles
from pytest_throughput.gate.store_files import StoreFiles
from pytest_throughput.gate.store_format import DamagedFile, decode, encode, utc
from pytest_throughput.gate.store_place import Place, StoreError

__all__ = ["Baseline", "Store", "StoreError", "StoredRun", "files_at"]

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{16}\.json")
_KEY = re.compile(r"[0-9a-f]{16}")
_CLOCK_DIFFERENCE = timedelta(minutes=10)
_MOST_FILES = 1_000
"""Only the latest files of a folder are read; parsing more would take seconds."""


@dataclass(frozen=True)
class StoredRun:
    """The file of an accepted run."""

    hardware: str
    """The name of its folder."""
    name: str
    location: str
    """Its path or URL, for messages."""

    def __str__(self) -> str:
        return self.location


@dataclass(frozen=True)
class Baseline:
    """The accepted runs of one hardware."""

    runs: tuple[JudgedRun, ...]
    """Ordered by time."""
    damaged: tuple[tuple[StoredRun, str], ...] = ()
    """Files that were left out, with the reason."""
    other_hardware: int = 0
    """Number of folders for other hardware; it distinguishes a new machine from an empty store."""


def files_at(place: Place) -> StoreFiles:
    """Return the files of the baseline there. Raise StoreError where the packages for a URL do not work."""
    if isinstance(place, Path):
        return LocalFiles(place)
    from pytest_throughput.gate.remote_files import remote_files  # It imports fsspec.

    return remote_files(place)


class Store:
    """Read and write the accepted runs in one place, which need not exist before the first is accepted."""

    def __init__(self, place: Place) -> None:
        self._files = files_at(place)

    def accept(self, run: JudgedRun, note: str | None = None) -> StoredRun:
        """Write the run with the note, and return its file. If it was accepted before, only its note changes.

        ``note``, and not that of ``run``, is written: an empty one removes that of a run that was accepted before, and
        None keeps it.

        Raises StoreError where it cannot be written, and ValueError for a run without any figure or
        without a valid time.
        """
        if not any(case.trials for case in run.cases.values()):
            raise ValueError("the run has no figures; expected at least one case with a trial")
        without_note = encode(replace(run, note=""))
        decode(without_note)  # Refuse a run that could not be read back.
        moment = utc(run.started_at).astimezone(UTC)
        digest = hashlib.sha256(without_note).hexdigest()[:16]
        stored = self._stored(hardware_key(run.fingerprint), f"{moment.year:04}{moment:%m%dT%H%M%SZ}-{digest}.json")
        noted = replace(run, note=self._note_of(stored) if note is None else note)
        self._files.write(stored.hardware, stored.name, encode(noted))
        return stored

    def _note_of(self, stored: StoredRun) -> str:
        """Return the note of an accepted run; an empty one if it was not accepted yet, or its file is damaged."""
        return "".join(run.note for _, run in self._decoded([stored]) if isinstance(run, JudgedRun))

    def prune(self, accepted: Collection[StoredRun], keep: int) -> None:
        """Delete all but ``keep`` runs of each hardware of which a run was just accepted.

        The runs in ``accepted`` all stay, whenever they were measured, and after them the latest of the
        others. A file that cannot be read as a run is neither counted nor deleted.

        Raises ValueError for fewer than 1, and StoreError where a file cannot be deleted.
        """
        if keep < 1:
            raise ValueError(f"keep: expected 1 or more runs, got {keep}")
        for hardware in {one.hardware for one in accepted}:
            others = self._valid([one for one in self._stored_runs(hardware) if one not in accepted])
            left = max(0, keep - len({one for one in accepted if one.hardware == hardware}))
            for one in others[: len(others) - left]:
                self._files.delete(hardware, one.name)

    def read(self, fingerprint: Mapping[str, Any]) -> Baseline:
        """Return all accepted runs of that hardware. Raises StoreError where the place cannot be read."""
        return self._read(hardware_key(fingerprint), self._hardware())

    def read_all(self) -> list[Baseline]:
        """Return the accepted runs of each hardware. Raises StoreError where the place cannot be read."""
        hardware = self._hardware()
        return [self._read(key, hardware) for key in hardware]

    def _read(self, key: str, hardware: Sequence[str]) -> Baseline:
        """Return the accepted runs of one hardware; ``hardware``: the names of all folders."""
        runs: list[JudgedRun] = []
        damaged: list[tuple[StoredRun, str]] = []
        for one, run in self._decoded(self._stored_runs(key)[-_MOST_FILES:] if key in hardware else []):
            if isinstance(run, DamagedFile):
                damaged.append((one, str(run)))
            else:
                runs.append(run)
        others = sum(1 for name in hardware if name != key)
        return Baseline(tuple(sorted(runs, key=lambda run: utc(run.started_at))), tuple(damaged), others)

    def _hardware(self) -> list[str]:
        """Return the names of the folders."""
        return sorted({name for name in self._files.names() if _KEY.fullmatch(name)})

    def check_readable(self) -> None:
        """Raise StoreError where the place cannot be read."""
        self._hardware()

    def dated_in_the_future(self, hardware: str) -> list[StoredRun]:
        """Return the accepted runs whose names give a start later than now, allowing for clock differences."""
        now = f"{datetime.now(UTC) + _CLOCK_DIFFERENCE:%Y%m%dT%H%M%SZ}"
        return self._valid([one for one in self._stored_runs(hardware) if one.name > now])

    def _stored(self, hardware: str, name: str) -> StoredRun:
        return StoredRun(hardware, name, self._files.location(hardware, name))

    def _stored_runs(self, hardware: str) -> list[StoredRun]:
        """Return the files of runs, ordered by name and so by time; other files are ignored."""
        names = {name for name in self._files.names(hardware) if _NAME.fullmatch(name)}
        return [self._stored(hardware, name) for name in sorted(names)]

    def _valid(self, stored: Sequence[StoredRun]) -> list[StoredRun]:
        """Return those that can be read as runs."""
        return [one for one, run in self._decoded(stored) if not isinstance(run, DamagedFile)]

    def _decoded(self, stored: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, JudgedRun | DamagedFile]]:
        """Yield each file of one hardware with its run, or with what is wrong with it."""
        names = [one.name for one in stored]
        contents = self._files.contents(stored[0].hardware, names) if stored else iter(())
        for one, content in zip(stored, contents, strict=True):
            yield one, _run_in(content, one.hardware)


def _run_in(content: bytes | DamagedFile, hardware: str) -> JudgedRun | DamagedFile:
    """Return the run, or what is wrong with a file that is not a valid run of the hardware of its folder."""
    if isinstance(content, DamagedFile):
        return content
    try:
        run = decode(content)
    except DamagedFile as error:
        return error
    return run if hardware_key(run.fingerprint) == hardware else DamagedFile("it is of other hardware than its folder")
