"""The pytest plugin: options, fixtures, and the session that does the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import pytest

from pytest_throughput import hookspec
from pytest_throughput.measurement.step import Step
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.options.settings import Settings, add_options, read_settings
from pytest_throughput.run.benchmark_json import BenchmarkJson, WriteErrorGuard, write_beside
from pytest_throughput.run.checkpoint import Checkpoint
from pytest_throughput.run.collection import parametrize
from pytest_throughput.run.gate import Gate
from pytest_throughput.run.measuring import Measuring
from pytest_throughput.run.nothing_measured import NothingMeasured
from pytest_throughput.run.replay import ReplayClock, install
from pytest_throughput.run.selection import Selection
from pytest_throughput.run.session import ThroughputSession

__all__ = ["MeasureIsolated", "MeasureStep", "is_off"]

_SESSION = pytest.StashKey[ThroughputSession]()
_MEASURING = pytest.StashKey[Measuring]()
_NAMES = ("throughput", "pytest_throughput", "pytest-throughput")
"""What a user calls the plugin. pytest knows it by its module, so that a checkout's conftest.py may list it, too."""


class MeasureStep(Protocol):
    """The type of the fixture ``measure_step``."""

    def __call__(
        self, step: Callable[[], Any], *, items: int = 1, synchronize: Callable[[], object] | None = None
    ) -> None:
        """Measure a step in this process.

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
        phase: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Measure in a worker process what ``target(**arguments)`` returns there: a ``Step``, or a ``Once``.

        ``target``: ``"module:function"``, importable in the worker. ``arguments``: JSON values.
        ``items``: what one step works through. ``device``: ``cpu``, ``cuda`` or ``cuda:N``, the one
        device that the worker is shown. ``interpreter``: the NAME of ``--throughput-interpreter``.
        ``largest``: the name of a further argument, such as ``"batch_size"``: the largest value for which memory
        suffices is searched first, and is then ``items``, too.
        ``phase``: the name of the phase of a ``Once`` that this test is about. The first test of a job runs all its
        phases, and the tests of the other phases take their results from it.
        ``variables``: environment variables that the worker has from its start, such as ``XLA_FLAGS``. Cases with
        different variables never share a worker. With ``--throughput-isolation none`` they are not set.
        """


def is_off(manager: pytest.PytestPluginManager) -> bool:
    """Return whether ``-p no:throughput`` was given."""
    return any(manager.is_blocked(name) for name in _NAMES)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if not is_off(pluginmanager):
        add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(tryfirst=True)  # What runs the tests comes last.
def pytest_cmdline_main(config: pytest.Config) -> None:
    write_beside(config)


@pytest.hookimpl(trylast=True)  # A suite's presets come first.
def pytest_configure(config: pytest.Config) -> None:
    if is_off(config.pluginmanager):
        return
    config.addinivalue_line(
        "markers", "throughput_case(id, **axes): the case that a measuring test belongs to, and its axes."
    )
    session = ThroughputSession(config, read_settings(config))
    config.stash[_SESSION] = session
    config.pluginmanager.register(session, "pytest-throughput")
    config.stash[_MEASURING] = Measuring(config, session)
    config.pluginmanager.register(config.stash[_MEASURING], "pytest-throughput-measuring")
    config.pluginmanager.register(Selection(session.settings), "pytest-throughput-selection")
    results = BenchmarkJson(config, session)
    config.pluginmanager.register(results, "pytest-throughput-results")
    config.pluginmanager.register(WriteErrorGuard(config, session, results), "pytest-throughput-unwritten")
    if session.settings.gate.mode != "off":
        config.pluginmanager.register(Gate(config, session, results), "pytest-throughput-gate")
    config.pluginmanager.register(NothingMeasured(session), "pytest-throughput-nothing-measured")
    config.pluginmanager.register(Checkpoint(config, session, results), "pytest-throughput-recovery")


@pytest.hookimpl(trylast=True)  # The session knows its cases by now.
def pytest_collection_finish(session: pytest.Session) -> None:
    throughput = session.config.stash.get(_SESSION, None)
    if throughput is not None and throughput.is_measuring:
        # Imported here: a run that measures nothing does not wait for what draws tables.
        from pytest_throughput.run.terminal import Terminal

        terminal = Terminal(session.config, throughput, alone=len(throughput.items) == len(session.items))
        throughput.observer = terminal
        session.config.pluginmanager.register(terminal, "pytest-throughput-terminal")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Iterator[None]:
    """Add trial and environment after all other parameters: they stand last in the node id."""
    done: Any = yield
    session = metafunc.config.stash.get(_SESSION, None)
    if session is not None:
        parametrize(metafunc, session.settings)
    return done  # type: ignore[no-any-return]


def _measuring_of(config: pytest.Config) -> Measuring:
    """Return what measures. Fail the test that asks for it where the plugin is off."""
    if _MEASURING not in config.stash:
        pytest.fail("this test measures, and -p no:throughput has switched off what measures", pytrace=False)
    return config.stash[_MEASURING]


@pytest.fixture(scope="session")
def throughput_settings(pytestconfig: pytest.Config) -> Settings:
    """How this run measures: threads, trials, protocol and so on."""
    return _measuring_of(pytestconfig).settings


@pytest.fixture
def throughput_trial(request: pytest.FixtureRequest) -> int:
    """Which trial of its case this test is, from 1."""
    return int(getattr(request, "param", 1))


@pytest.fixture
def throughput_environment(request: pytest.FixtureRequest) -> str:
    """The set of interpreters that the case is measured in: ``default``, or ``base`` and ``head``."""
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
    """Measure a step in the pytest process."""
    measuring = _measuring_of(request.config)

    def measure(step: Callable[[], Any], *, items: int = 1, synchronize: Callable[[], object] | None = None) -> None:
        __tracebackhide__ = True
        if synchronize is not None and not callable(synchronize):
            raise TypeError(
                f"synchronize: expected a function such as torch.cuda.synchronize, without (), got {synchronize!r}"
            )
        opened = Step(step) if synchronize is None else Step(step, lambda _: synchronize(), asynchronous=True)
        measuring.measure_step(request.node, benchmark, _throughput_clock, opened, items=items)

    return measure


@pytest.fixture
def measure_isolated(
    request: pytest.FixtureRequest,
    throughput_trial: int,
    throughput_environment: str,
    _throughput_clock: ReplayClock,
    benchmark: Any,
) -> MeasureIsolated:
    """Measure a step, or a phase of a job, in a worker process."""
    measuring = _measuring_of(request.config)

    def measure(
        target: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        items: int = 1,
        device: str = "cpu",
        interpreter: str = "python",
        largest: str | None = None,
        phase: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        __tracebackhide__ = True
        measuring.measure_isolated(
            request.node,
            benchmark,
            _throughput_clock,
            target,
            arguments or {},
            items=items,
            device=device,
            interpreter=interpreter,
            largest=largest,
            phase=phase,
            variables=variables,
        )

    return measure
