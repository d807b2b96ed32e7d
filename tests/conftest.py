"""What all tests need: pytest in pytest."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# A commit passes its tests or does not; `--hypothesis-profile default` looks for more than that.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _as_without_neighbours(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs inside the tests keep their order, though pytest-randomly is installed for the tests of neighbours.

    Nor do they load hypothesis, which takes a second at the end of each.
    """
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)  # They are not workers of the run that tests them.
    monkeypatch.delenv("COLUMNS", raising=False)  # xdist sets it; their tables are as wide as they need to be.
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)  # Where they are set, pytest folds nothing away.
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # It clears the variable.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:hypothesispytest")
