"""Load the plugin and the matrix from this checkout, whether they are installed or not."""

from __future__ import annotations

pytest_plugins = ["pytest_throughput.plugin", "dlworkloads.matrix"]
