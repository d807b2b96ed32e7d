"""The phases of jobs in the matrix: their ids, and when they are measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dlworkloads.case import CHECKPOINT, PHASES, Case
from dlworkloads.combinations import Combinations
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models import build, is_known, names
from dlworkloads.models.layer import ShapeError
from dlworkloads.presets import PRESETS
from dlworkloads.target import target_of

ROOT = Path(__file__).parents[2]
Run = Callable[..., pytest.RunResult]
OPTIONS = ("--framework=pytorch", "--device=cpu", "--collect-only", "-q")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(ROOT)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)

    return run


def listed(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_jobs_are_measured_where_their_file_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    named = run("bench/test_phases.py", *OPTIONS, "--checkpoint")
    case = "bench/test_phases.py::test_phases[pytorch-cpu-dogcat_vgg16_pytorch_64-b8-fp32-eager"
    phases = (*PHASES, CHECKPOINT)
    assert listed(named) == [f"{case}{workers}-{phase}]" for workers in ("", "-w2") for phase in phases]
    where = f"images: a small set, made once in {tmp_path}/pytest-throughput/images-1; --images DIR takes your folders"
    assert where in named.outlines
    assert not list(tmp_path.iterdir())
    own = run("bench/test_phases.py", *OPTIONS, f"--images={tmp_path}", "--loader-workers=4,0")
    assert [test.endswith("-w4-index]") for test in listed(own)[:: len(PHASES)]] == [True, False]
    assert not any(line.startswith("images: ") for line in own.outlines)
    all_files = run("bench/", *OPTIONS, "--model=alexnet")
    assert not any("test_phases" in test for test in listed(all_files))
    assert not any(line.startswith(("images: ", "no case")) for line in all_files.outlines)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--images=/no/such/folder", "argument --images: there is no folder '/no/such/folder'; expected one with"),
        ("--loader-workers=-1", "argument --loader-workers: cannot read the number of workers '-1'; expected numbers"),
        ("--loader-workers=two", "cannot read the number of workers 'two'; expected numbers such as 0,2,4"),
    ],
)
def test_a_bad_value_is_refused(run: Run, option: str, message: str) -> None:
    result = run("bench/test_phases.py", *OPTIONS, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in str(result.stderr)


def cases_of(preset: str, framework: str = "pytorch") -> list[Case]:
    combinations = Combinations(
        asked={"framework": [framework], "device": ["cpu"], "phase": PHASES},
        preset=PRESETS[preset],
        registry=FRAMEWORKS,
        compute_capability=lambda device: None,
        installed=lambda names: set(names),
    )
    return list(combinations.cases("phases"))


def test_all_phases_of_a_job_have_the_same_target() -> None:
    cases = cases_of("quick")
    targets = [target_of(case, FRAMEWORKS, 1, {"images": "/images", "cache": "/cache"}) for case in cases]
    assert [target.pop("phase") for target in targets] == [*PHASES, *PHASES]
    assert len({json.dumps(target, sort_keys=True) for target in targets}) == 2
    assert {target["target"] for target in targets} == {"dlworkloads.phases.opening:open_job"}
    assert not {"items", "largest"} & set(targets[0])


def test_every_preset_has_jobs_and_paper_has_the_size_of_the_report() -> None:
    assert all(cases_of(preset) for preset in PRESETS)
    found = {(case.model, case.batch_size) for case in cases_of("paper")}
    assert found == {("dogcat_vgg16_keras", 64), ("dogcat_vgg16_pytorch", 32)}


def test_frameworks_without_a_loader_have_no_jobs() -> None:
    assert {name for name in FRAMEWORKS if cases_of("quick", name)} == {
        "pytorch",
        "tensorflow",
        "jax",
        "keras-torch",
        "keras-jax",
        "theano",
    }


def test_a_name_with_a_size_is_the_network_for_smaller_images() -> None:
    small = build("dogcat_vgg16_keras_64")
    assert (small.name, small.input_shape, small.loss) == ("dogcat_vgg16_keras_64", (3, 64, 64), "binary_cross_entropy")
    # Sixteen convolutions as before; the first dense layer has 2 × 2 places instead of 7 × 7.
    assert small.parameter_count == 27_691_841 - 512 * 512 * (7 * 7 - 2 * 2)
    assert build("resnet50_64").parameter_count == build("resnet50").parameter_count
    assert small.hash != build("dogcat_vgg16_keras").hash
    assert all(is_known(name) for name in (*names(), "vgg16_32"))
    assert not any(is_known(name) for name in ("vgg17", "vgg16_0", "vgg16_064", "_64", "vgg16_", "vit_b_64", "64"))
    with pytest.raises(ShapeError):
        build("vgg16_16")
    with pytest.raises(ValueError, match="there is no model 'vgg16_x'"):
        build("vgg16_x")
