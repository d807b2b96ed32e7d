"""What a step tells about its compiler, in the table and in the JSON."""

from __future__ import annotations

from plugin_project import Project

STEPS = """
import itertools
from pytest_throughput import Step

def compiled(grows=False, dtype="float32"):
    count = itertools.count()
    def look(output):
        if dtype != "float32":
            raise RuntimeError(f"asked for fp32, but computed in {dtype}")
        return {"compile_seconds": 12.5, "settings": {"dtypes": {"computation": dtype}}}
    return Step(lambda: sum(range(20_000)), after_first_step=look, compilations=lambda: next(count) if grows else 1)

def eager():
    return Step(lambda: sum(range(20_000)))
"""
TESTS = """
import pytest

def case(name, function, **arguments):
    return pytest.param(function, arguments, marks=pytest.mark.throughput_case(name, model="m", execution=name))

@pytest.mark.parametrize(("function", "arguments"), [
    case("compiled", "compiled"),
    case("unstable", "compiled", grows=True),
    case("eager", "eager"),
    case("wrong", "compiled", dtype="bfloat16"),
])
def test_it(measure_isolated, function, arguments):
    measure_isolated(f"steps:{function}", arguments)
"""


def test_compiling_stands_in_the_table_and_in_the_json(project: Project) -> None:
    (project.path / "steps.py").write_text(STEPS)
    project.tests(TESTS)
    result = project.run("--throughput-protocol=paper", "--benchmark-json=run.json")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*first*",
            "*items/s*step*compile*",
            "*compiled*12.5 s*ok",
            "*unstable*12.5 s*ok, recompiled",
            "*eager* - *ok",
            "wrong: failed: RuntimeError: asked for fp32, but computed in bfloat16",
            "unstable: compiled again 1× after the warm-up, so that rounds include compiling; *",
        ]
    )
    infos = {each["extra_info"]["case_id"]: each["extra_info"] for each in project.json()["benchmarks"]}
    found = {name: (info["compile_seconds"], info["recompilations"]) for name, info in infos.items()}
    assert found == {"compiled": (12.5, 0), "unstable": (12.5, 1), "eager": (None, None)}
    assert infos["compiled"]["settings"]["dtypes"] == {"computation": "float32"}
