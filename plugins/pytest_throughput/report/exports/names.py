"""Names of cases for programs that identify a case by one text."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import printable, shortened

__all__ = ["case_names", "distinct", "shown_name"]

_LONGEST = 500
"""The most characters of a name. Bencher takes 1,024."""
_IN_TABLES = str.maketrans({"`": "'", "|": "¦"})
"""github-action-benchmark pastes names into Markdown tables, between backticks, without escaping them."""
_DIGEST = re.compile(r" ~[0-9a-f]{8}$")
"""The end of a name that has a digest."""

Key = TypeVar("Key", bound=Hashable)


def case_names(cases: Sequence[CaseResult]) -> dict[tuple[str, str], str]:
    """Return the name of each case by its key: its id, and its environment unless that is the default one.

    The names are unique, the same in every run, on one line, and without backticks and vertical bars.
    """
    return distinct({case.key: _name(case) for case in cases})


def _name(case: CaseResult) -> str:
    environment = "" if case.environment == DEFAULT_ENVIRONMENT else f" ({case.environment})"
    return shown_name(f"{case.id}{environment}").translate(_IN_TABLES)


def shown_name(text: str) -> str:
    """Return the text as a printable name that is not empty and not too long."""
    return shortened(printable(text), _LONGEST) or "?"


def distinct(names: Mapping[Key, str]) -> dict[Key, str]:
    """Return the names by key. A name that several keys have is followed by a digest of the key.

    Different ids can have the same printable name, such as two that differ only in the number of spaces. A name that
    looks as if it had a digest gets one, too, so that it is no other key's name.
    """
    times = Counter(names.values())
    return {
        key: name if times[name] == 1 and not _DIGEST.search(name) else f"{name} ~{_digest(key)}"
        for key, name in names.items()
    }


def _digest(key: Hashable) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:8]
