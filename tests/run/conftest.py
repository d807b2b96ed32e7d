"""A project with the plugin loaded by name, and one that has it installed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugin_project import Project
from short_protocols import SHORT

from pytest_throughput.launch import pairs
from pytest_throughput.measurement.plan import PLANS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in ("PYTEST_XDIST_WORKER", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(name, raising=False)
    for name, plan in SHORT.items():
        monkeypatch.setitem(PLANS, name, plan)
    monkeypatch.setattr(pairs, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(pairs, "LEAST_BLOCKS", 1)
    # nohup ignores SIGHUP, and a shell's background job SIGINT; the runs that tests start would inherit that.
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    project = Project(pytester)
    yield project
    project.end_all()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def installed(
    pytester: pytest.Pytester, all_plugins: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Runs pytest where the package is installed as pip does it: found by its entry point alone."""
    site = pytester.mkdir("site-packages")
    for package in ("plugins/pytest_throughput", "fixtures/dlworkloads"):
        (site / Path(package).name).symlink_to(ROOT / package)
    information = site / "pytest_throughput-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-throughput\nVersion: 0.1.0\n")
    (information / "entry_points.txt").write_text("[pytest11]\npytest_throughput.plugin = pytest_throughput.plugin\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    project = pytester.mkdir("project")
    monkeypatch.chdir(project)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments)

    assert os.getcwd() == str(project)
    return run
