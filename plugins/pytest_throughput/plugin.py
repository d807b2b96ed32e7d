"""The pytest plugin: its hooks and fixtures, which hand over to the session."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pytest_throughput import hookspec
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.options.settings import Settings, add_options
from pytest_throughput.run.benchmark_json import BenchmarkJson
from pytest_throughput.run.checkpoint import Checkpoint
from pytest_throughput.run.collection import parametrize
from pytest_throughput.run.gate import Gate
from pytest_throughput.run.github import GitHub, is_in_github_actions
from pytest_throughput.run.measuring import Measuring
from pytest_throughput.run.nothing_measured import NothingMeasured
from pytest_throughput.run.replay import ReplayClock, install
from pytest_throughput.run.result_path import write_beside
from pytest_throughput.run.selection import Selection
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.run.unmeasured import Unmeasured
from pytest_throughput.run.write_error_guard import WriteErrorGuard
from pytest_throughput.suite import MeasureIsolated, MeasureStep, is_off

_SESSION = pytest.StashKey[ThroughputSession]()
_MEASURING = pytest.StashKey[Measuring]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if not is_off(pluginmanager):
        add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(tryfirst=True)  # The plugin that runs the tests comes last.
def pytest_cmdline_main(config: pytest.Config) -> None:
    write_beside(config)


@pytest.hookimpl(trylast=True)  # A suite refuses its own options first.
def pytest_configure(config: pytest.Config) -> None:
    if is_off(config.pluginmanager):
        return
    config.addinivalue_line(
        "markers", "throughput_case(id, **axes): the case that a measuring test belongs to, and its axes."
    )
    config.addinivalue_line(
        "markers",
        "throughput_target(target, arguments, **keywords): what a test will give measure_isolated, so that it can be "
        "measured in turn with other cases of the same work.",
    )
    session = ThroughputSession(config, Settings.from_pytest_config(config))
    config.stash[_SESSION] = session
    config.pluginmanager.register(session, "pytest-throughput")
    config.stash[_MEASURING] = Measuring(config, session)
    config.pluginmanager.register(config.stash[_MEASURING], "pytest-throughput-measuring")
    config.pluginmanager.register(Selection(session.settings), "pytest-throughput-selection")
    results = BenchmarkJson(config, session)
    config.pluginmanager.register(results, "pytest-throughput-benchmark-json")
    config.pluginmanager.register(WriteErrorGuard(config, session, results), "pytest-throughput-write-errors")
    if session.settings.gate.mode != "off":
        gate = Gate(config, session, results)
        config.pluginmanager.register(gate, "pytest-throughput-gate")
        if is_in_github_actions():
            config.pluginmanager.register(GitHub(gate), "pytest-throughput-github")
    config.pluginmanager.register(NothingMeasured(session), "pytest-throughput-nothing-measured")
    checkpoint = Checkpoint(config, session, results)
    config.pluginmanager.register(checkpoint, "pytest-throughput-checkpoint")
    config.pluginmanager.register(Unmeasured(session, checkpoint.budget), "pytest-throughput-unmeasured")


@pytest.hookimpl(trylast=True)  # The session knows its cases by now.
def pytest_collection_finish(session: pytest.Session) -> None:
    throughput = session.config.stash.get(_SESSION, None)
    if throughput is not None and throughput.is_measuring:
        # Imported here: a run that measures nothing does not wait for the import of the library that draws tables.
        from pytest_throughput.run.terminal import Terminal

        terminal = Terminal(session.config, throughput, alone=len(throughput.items) == len(session.items))
        throughput.observer = terminal
        session.config.pluginmanager.register(terminal, "pytest-throughput-terminal")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Iterator[None]:
    """Add trial and environment after all other parameters, so that they are last in the node id."""
    done: Any = yield
    session = metafunc.config.stash.get(_SESSION, None)
    if session is not None:
        parametrize(metafunc, session.settings)
    return done  # type: ignore[no-any-return]


def _measuring_of(config: pytest.Config) -> Measuring:
    """Return the object that measures. Fail the test that asks for it if the plugin is off."""
    if _MEASURING not in config.stash:
        pytest.fail("this test measures, and -p no:throughput has switched off what measures", pytrace=False)
    return config.stash[_MEASURING]


@pytest.fixture(scope="session")
def throughput_settings(pytestconfig: pytest.Config) -> Settings:
    """Return how this run measures: threads, trials, protocol and so on."""
    return _measuring_of(pytestconfig).settings


@pytest.fixture
def throughput_trial(request: pytest.FixtureRequest) -> int:
    """Return which trial of its case this test is, counted from 1."""
    return int(getattr(request, "param", 1))


@pytest.fixture
def throughput_environment(request: pytest.FixtureRequest) -> str:
    """Return the name of the set of interpreters that the case is measured in: ``default``, ``base`` or ``head``."""
    return str(getattr(request, "param", DEFAULT_ENVIRONMENT))


@pytest.fixture
def _throughput_clock(request: pytest.FixtureRequest) -> ReplayClock:
    return install(request.node)


@pytest.fixture
def measure_step(
    request: pytest.FixtureRequest,
    throughput_trial: int,
    throughput_environment: str,
    _throughput_clock: ReplayClock,
    benchmark: Any,
) -> MeasureStep:
    """Return a function that measures a step in the pytest process."""
    return partial(_measuring_of(request.config).measure_step, request.node, benchmark, _throughput_clock)


@pytest.fixture
def measure_isolated(
    request: pytest.FixtureRequest,
    throughput_trial: int,
    throughput_environment: str,
    _throughput_clock: ReplayClock,
    benchmark: Any,
) -> MeasureIsolated:
    """Return a function that measures a step, or a phase of a job, in a worker process."""
    return partial(_measuring_of(request.config).measure_isolated, request.node, benchmark, _throughput_clock)
