"""The folder in which the plugin and suites keep what takes long to make."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return the user's folder, which need not exist yet. Raise RuntimeError for a user without a home.

    XDG_CACHE_HOME names the folder above it: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pytest-throughput"
