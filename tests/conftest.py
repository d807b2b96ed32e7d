"""What all tests need: pytest in pytest."""

from __future__ import annotations

pytest_plugins = ["pytester"]
