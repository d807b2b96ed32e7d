"""What all tests need: pytest in pytest."""

from __future__ import annotations

import gc

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# A commit passes its tests or does not; `--hypothesis-profile default` looks for more than that.
_FIXTURES_LAST = [HealthCheck.function_scoped_fixture]  # Examples may share a folder.
settings.register_profile(
    "repeatable", max_examples=30, derandomize=True, deadline=None, suppress_health_check=_FIXTURES_LAST
)
settings.register_profile("thorough", settings.get_profile("repeatable"), max_examples=300)  # of `nox -s slow`
settings.load_profile("repeatable")


def pytest_collection_finish() -> None:
    """Keep what is imported by now out of garbage collection: each run inside a test collects five times at its end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _as_without_neighbours(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the runs inside the tests load pytest-benchmark alone of all installed plugins.

    The others are installed for the tests of neighbours; loading them takes a third of a short run.
    """
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)  # They are not workers of the run that tests them.
    monkeypatch.delenv("COLUMNS", raising=False)  # xdist sets it; their tables are as wide as they need to be.
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)  # Where they are set, pytest folds nothing away.
    # A process takes 0.2 s longer if it compiles the plugin anew, and 0.2 s if NumPy's and SciPy's threads start.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # It clears the variable.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p benchmark")


@pytest.fixture
def all_plugins(_as_without_neighbours: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the runs inside a test load every installed plugin, as a user's would."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:hypothesispytest")
