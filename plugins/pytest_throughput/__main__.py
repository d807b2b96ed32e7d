"""``python -m pytest_throughput``."""

from __future__ import annotations

import sys

from pytest_throughput.cli import main

if __name__ == "__main__":
    sys.exit(main())
