"""The pytest plugin: options, fixtures, and the session that does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest

from pytest_throughput import hookspec
from pytest_throughput.gating import Gate
from pytest_throughput.isolation.interpreters import DEFAULT_ENVIRONMENT
from pytest_throughput.items import parametrize
from pytest_throughput.measurement.step import Step
from pytest_throughput.recovery import Recovery
from pytest_throughput.results import Results, Unwritten, write_beside
from pytest_throughput.session import ThroughputSession
from pytest_throughput.settings import Settings, add_options, read_settings
from pytest_throughput.throughput.replay import ReplayClock, install

__all__ = ["MeasureIsolated", "MeasureStep"]

_SESSION = pytest.StashKey[ThroughputSession]()


class MeasureStep(Protocol):
    """The type of the fixture ``measure_step``."""

    def __call__(
        self, step: Callable[[], Any], *, items: int = 1, synchronize: Callable[[], object] | None = None
    ) -> None:
        """Measures a step in this process.

        ``items``: what one step works through, such as its batch size. ``synchronize``: returns when
        the device has finished, such as ``torch.cuda.synchronize``; needed wherever ``step`` may
        return before its work is done. Where it is given, many steps make a round, with one wait at
        its end (``--throughput-steps-per-round``).
        """


class MeasureIsolated(Protocol):
    """The type of the fixture ``measure_isolated``."""

    def __call__(
        self,
        target: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        items: int = 1,
        device: str = "cpu",
        interpreter: str = "python",
        largest: str | None = None,
    ) -> None:
        """Measures in a worker process the ``Step`` that ``target(**arguments)`` returns there.

        ``target``: ``"module:function"``, importable in the worker. ``arguments``: JSON values.
        ``items``: what one step works through. ``device``: ``cpu``, ``cuda`` or ``cuda:N``, the one
        device that the worker is shown. ``interpreter``: the NAME of ``--throughput-interpreter``.
        ``largest``: the name of a further argument, such as ``"batch_size"``: the largest value for which memory
        suffices is searched first, and is then ``items``, too.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(tryfirst=True)  # What runs the tests comes last.
def pytest_cmdline_main(config: pytest.Config) -> None:
    write_beside(config)


@pytest.hookimpl(trylast=True)  # A suite's presets come first.
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "throughput_case(id, **axes): the case that a measuring test belongs to, and its axes."
    )
    session = ThroughputSession(config, read_settings(config))
    config.stash[_SESSION] = session
    config.pluginmanager.register(session, "pytest-throughput")
    results = Results(config, session)
    config.pluginmanager.register(results, "pytest-throughput-results")
    config.pluginmanager.register(Unwritten(config, session, results), "pytest-throughput-unwritten")
    if session.settings.gate.mode != "off":
        config.pluginmanager.register(Gate(config, session, results), "pytest-throughput-gate")
    config.pluginmanager.register(Recovery(config, session, results), "pytest-throughput-recovery")


@pytest.hookimpl(trylast=True)  # The session knows its cases by now.
def pytest_collection_finish(session: pytest.Session) -> None:
    throughput = session.config.stash[_SESSION]
    if throughput.is_measuring:
        # Imported here: a run that measures nothing does not wait for what draws tables.
        from pytest_throughput.terminal import Terminal

        terminal = Terminal(session.config, throughput, alone=len(throughput.items) == len(session.items))
        throughput.observer = terminal
        session.config.pluginmanager.register(terminal, "pytest-throughput-terminal")


@pytest.hookimpl(trylast=True)  # The trial and the environment stand last in the node id.
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize(metafunc, metafunc.config.stash[_SESSION].settings)


@pytest.fixture(scope="session")
def throughput_settings(pytestconfig: pytest.Config) -> Settings:
    """How this run measures: threads, trials, protocol and so on."""
    return pytestconfig.stash[_SESSION].settings


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> int:
    """Which trial of its case this test is, from 1."""
    return int(getattr(request, "param", 1))


@pytest.fixture
def environment(request: pytest.FixtureRequest) -> str:
    """The set of interpreters that the case is measured in: ``default``, or ``base`` and ``head``."""
    return str(getattr(request, "param", DEFAULT_ENVIRONMENT))


@pytest.fixture
def _replay_clock(request: pytest.FixtureRequest) -> ReplayClock:
    return install(request.node)


@pytest.fixture
def measure_step(
    request: pytest.FixtureRequest, trial: int, environment: str, _replay_clock: ReplayClock, benchmark: Any
) -> MeasureStep:
    """Measures a step in the pytest process."""
    session = request.config.stash[_SESSION]

    def measure(step: Callable[[], Any], *, items: int = 1, synchronize: Callable[[], object] | None = None) -> None:
        opened = Step(step) if synchronize is None else Step(step, lambda _: synchronize(), asynchronous=True)
        session.measure_step(request.node, benchmark, _replay_clock, opened, items=items)

    return measure


@pytest.fixture
def measure_isolated(
    request: pytest.FixtureRequest, trial: int, environment: str, _replay_clock: ReplayClock, benchmark: Any
) -> MeasureIsolated:
    """Measures a step in a worker process of its own."""
    session = request.config.stash[_SESSION]

    def measure(
        target: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        items: int = 1,
        device: str = "cpu",
        interpreter: str = "python",
        largest: str | None = None,
    ) -> None:
        session.measure_isolated(
            request.node,
            benchmark,
            _replay_clock,
            target,
            arguments or {},
            items=items,
            device=device,
            interpreter=interpreter,
            largest=largest,
        )

    return measure
