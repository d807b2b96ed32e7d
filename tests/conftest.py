"""What all tests need: pytest in pytest."""

from __future__ import annotations

import compileall
import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]

# A commit passes its tests or does not; `--hypothesis-profile default` looks for more than that.
_MAY_SHARE = [HealthCheck.function_scoped_fixture]  # The examples of a property may write to one folder.
settings.register_profile(
    "repeatable", max_examples=30, derandomize=True, deadline=None, suppress_health_check=_MAY_SHARE
)
settings.register_profile("thorough", settings.get_profile("repeatable"), max_examples=300)  # of `nox -s slow`
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the plugin once: each process that a test starts would take 0.2 s for it."""
    if not hasattr(config, "workerinput"):
        for folder in ("plugins", "fixtures"):
            compileall.compile_dir(ROOT / folder, quiet=2)


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
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)  # The verdicts of tests are none of the job that runs them.
    # Where no file may grow, as in some tests, Python would leave half of a compiled one in the checkout.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    # Starting the threads of NumPy and SciPy takes 0.2 s in each process.
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
