"""The small networks, and NumPy to open them in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from networks import SMALL_NETWORKS, open_workload

from dlworkloads.base.workload import Workload
from dlworkloads.models.network import Network


@pytest.fixture(params=SMALL_NETWORKS)
def small_network(request: pytest.FixtureRequest) -> Network:
    """Each of the small networks in turn."""
    return SMALL_NETWORKS[request.param]()


@pytest.fixture(name="open_workload")
def _open_workload() -> Callable[..., Workload]:
    """Open a network in a framework. Nothing closes it: small networks may wait for the garbage collector."""
    return open_workload
