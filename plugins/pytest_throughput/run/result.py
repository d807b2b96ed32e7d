"""The ``RunResult`` of a session so far, with the machine that it was measured on."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_throughput.gate.judged import hashed_machine_id
from pytest_throughput.results.model import RunResult
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores
from pytest_throughput.telemetry.machine_id import machine_id

__all__ = ["fingerprint", "run_result"]


def run_result(config: pytest.Config, session: ThroughputSession) -> RunResult:
    """Return every case that was asked for, with its trials so far."""
    return session.ledger.result(
        fingerprint=fingerprint(session), machine_id=_hashed_machine(session), deselected=_deselected(config, session)
    )


def fingerprint(session: ThroughputSession) -> dict[str, Any]:
    """Return the description of the hardware of all trials, which is equal for machines of the same kind."""
    gpus = [device.gpu for device in session.devices if device.is_gpu]
    return {
        "cpu": {"model": cpu_model(), "cores": usable_physical_cores(), "threads": session.settings.threads},
        "gpus": [None if gpu is None else gpu.fingerprint() for gpu in gpus],
    }


def _hashed_machine(session: ThroughputSession) -> str | None:
    """Return the hashed ids of the GPUs, or else of the machine; None if unknown."""
    name = " ".join(device.gpu.uuid for device in session.devices if device.gpu is not None) or machine_id()
    return hashed_machine_id(name) if name else None


def _deselected(config: pytest.Config, session: ThroughputSession) -> list[str] | None:
    """Return the ids of deselected cases; None if node ids were given, since pytest then does not report them."""
    by_node_id = any("::" in argument for argument in config.args)
    return None if by_node_id else sorted(set(session.deselected))
