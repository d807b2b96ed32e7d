"""Run the suite without a checkout: ``pytest-throughput-bench``, also ``python -m pytest_throughput_bench``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pytest on this folder with pytest's and the suite's options, and return its exit status.

    The current folder is the rootdir, so that networks are imported from there. Its pytest.ini and conftest.py are not
    read: they belong to another project, which may have options of the same names.
    """
    alone = ["-c", os.devnull, f"--rootdir={Path.cwd()}", "--noconftest"]
    # pytest warns that it cannot rewrite the assertions of this module, which is imported already and has none.
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    suite = ["-p", "dlworkloads.matrix", str(Path(__file__).parent)]
    return int(pytest.main([*alone, *quiet, *suite, *(sys.argv[1:] if arguments is None else arguments)]))


if __name__ == "__main__":
    sys.exit(main())
