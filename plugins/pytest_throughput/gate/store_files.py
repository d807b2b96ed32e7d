"""What the baseline store needs of the place where its files are.

A file has a folder and a name. Both are made by the store; none of them is text from a result file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from pytest_throughput.gate.store_format import DamagedFile

__all__ = ["StoreFiles"]


class StoreFiles(Protocol):
    """The files of a baseline. Each method raises StoreError where the place does not answer as it should."""

    def location(self, *names: str) -> str:
        """Return the path or URL of a file, or of a folder of them, for messages."""

    def names(self, *folder: str) -> list[str]:
        """Return the names in the baseline, or in one of its folders; none if that does not exist."""

    def contents(self, folder: str, names: Sequence[str]) -> Iterator[bytes | DamagedFile]:
        """Return for each file the first ``MOST_BYTES`` + 1 bytes at most, or why that file cannot be read."""

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file in one piece: readers see the whole of it or nothing."""

    def delete(self, folder: str, name: str) -> None:
        """Delete a file, if it is still there."""
