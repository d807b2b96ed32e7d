"""An axis takes part in some modes only, and in their cases alone does its option count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from dlworkloads.case import AXES, MODES, Case
from dlworkloads.combinations import Combinations
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.presets import PRESETS

ASKED: Mapping[str, Sequence[Any]] = {
    "framework": ["pytorch"],
    "device": ["cpu"],
    "model": ["mnist_cnn"],
    "batch_size": [8],
    "layout": ["nchw", None],
}


def cases(mode: str) -> Sequence[Case]:
    return Combinations(ASKED, PRESETS["quick"], FRAMEWORKS, lambda device: None, lambda names: names).cases(mode)


def test_an_axis_is_in_all_modes_by_default() -> None:
    for mode in MODES:
        assert {*(case.layout for case in cases(mode))} == {"nchw", None}
        own = ["optimiser"] if mode == "update" else []
        assert list(cases(mode)[0].axes) == [
            *("mode", "model", "batch_size", "precision", "device", "framework", "execution", "layout"),
            *own,
        ]


def test_an_axis_that_a_mode_lacks_does_not_multiply_its_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AXES, "layout", replace(AXES["layout"], modes=("training",)))
    assert [case.layout for case in cases("training")] == ["nchw", None]
    (inference,) = cases("inference")
    assert inference.layout is None
    assert "layout" not in inference.axes
    assert "layout" in cases("training")[0].axes
