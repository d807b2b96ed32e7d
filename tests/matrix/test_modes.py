"""Which modes a run measures, and the optimisers of the mode ``update``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIONS = ("--framework=pytorch", "--device=cpu", "--model=mnist_cnn", "--batch-size=8")
POINT = "pytorch-cpu-mnist_cnn-b8-fp32-eager"

Run = Callable[..., pytest.RunResult]
Collected = Callable[..., list[str]]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("bench/", …)``: the tests that pytest collects there, in this process."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    plain = ("-p", "no:cacheprovider", "--collect-only", "-q")
    return lambda *arguments: pytester.runpytest_inprocess(*plain, *OPTIONS, *arguments)


@pytest.fixture
def collected(run: Run) -> Collected:
    """``collected("bench/", …)``: the cases, such as ``training[pytorch-cpu-...]``."""

    def collected(*arguments: str) -> list[str]:
        return [line.rpartition("::test_")[2] for line in run(*arguments).outlines if "::test_" in line]

    return collected


@pytest.mark.parametrize(
    ("arguments", "modes"),
    [
        (["bench/"], ["inference", "training"]),
        (["bench/", "--preset=full"], ["inference", "training"]),
        (["bench/", "--preset=sweep"], ["update"]),
        (["bench/", "--mode=update,inference"], ["inference", "update"]),
        (["bench/", "--preset=sweep", "--mode=training"], ["training"]),
        (["bench/test_update.py"], ["update"]),
        (["bench/test_update.py", "bench/test_training.py"], ["update", "training"]),
        (["bench/test_inference.py", "--preset=sweep"], ["inference"]),
    ],
)
def test_modes_follow_the_option_the_preset_and_the_file(
    collected: Collected, arguments: list[str], modes: list[str]
) -> None:
    assert collected(*arguments) == [f"{mode}[{POINT}{'-momentum' * (mode == 'update')}]" for mode in modes]


def test_a_node_id_of_a_mode_selects_it(collected: Collected) -> None:
    assert collected(f"bench/test_update.py::test_update[{POINT}-momentum]") == [f"update[{POINT}-momentum]"]


def test_a_run_without_tests_says_which_modes_are_left_out(run: Run) -> None:
    result = run("bench/", "-k", "test_update")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(
        ["bench/test_update.py::test_update is left out unless its file is named or --mode has update"]
    )


def test_a_named_file_of_a_mode_that_is_not_asked_for_is_left_out(run: Run) -> None:
    result = run("bench/test_update.py", "--mode=inference")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["bench/test_update.py::test_update is left out unless --mode has update"])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("--optimiser=adam", "--optimiser had no effect: this run does not measure update"),
        ("--evaluation=split", "--evaluation had no effect: this run does not measure convergence"),
        ("--checkpoint", "--checkpoint had no effect: this run does not measure phases"),
    ],
)
def test_an_option_for_other_modes_is_named(run: Run, given: str, line: str) -> None:
    assert line in run("bench/test_inference.py", given).outlines


def test_an_option_for_one_of_the_modes_is_not_named(run: Run) -> None:
    assert "had no effect" not in run("bench/", "--mode=inference,update", "--optimiser=adam").stdout.str()


def test_optimisers_are_an_axis_of_updates_only(collected: Collected) -> None:
    options = ("--optimiser=sgd,adam", "--layout=nhwc", "--mode=training,update")
    assert collected("bench/", *options) == [
        f"training[{POINT}-nhwc]",
        f"update[{POINT}-nhwc-sgd]",
        f"update[{POINT}-nhwc-adam]",
    ]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--mode=inference,updates", "unknown mode 'updates'; expected some of: inference, training, update"),
        ("--optimiser=adagrad", "unknown optimiser 'adagrad'; expected some of: sgd, momentum, adam"),
    ],
)
def test_unknown_values_are_refused(run: Run, option: str, message: str) -> None:
    result = run("bench/", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_a_framework_has_no_updates_unless_it_declares_them(run: Run) -> None:
    result = run("bench/test_update.py", "--framework=numpy")
    result.stdout.fnmatch_lines(
        ["no case for bench/test_update.py::test_update: no framework of this run has update (NumPy); *"]
    )
