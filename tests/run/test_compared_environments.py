"""A run with base and head says everything that differs between them, and refuses to measure the same twice."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest
from plugin_project import Project
from tiny_packages import wheel

from pytest_throughput.launch.interpreters import parse_interpreter
from pytest_throughput.launch.inventory import Inventory, imported_from_elsewhere
from pytest_throughput.run.compared_environments import _refuse_shared

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SLEEPS = """
import pytest
@pytest.mark.throughput_case("sleep")
def test_it(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1}, items=4)
"""
PAIRED = ("--throughput-order=paired", "--throughput-gate=warn")


def environment(folder: Path, *wheels: Path, variables: str = "") -> str:
    """Return the command of a Python that has the content of these wheels besides, and these variables."""
    for each in wheels:
        zipfile.ZipFile(each).extractall(folder / "packages")
    script = folder / "python"
    folder.mkdir(exist_ok=True)
    path = f'PYTHONPATH="$PYTHONPATH:{folder}/packages"'
    script.write_text(f'#!/bin/sh\n{path} {variables} exec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return str(script)


def options(base: str, head: str) -> list[str]:
    return [f"--throughput-interpreter={side}/*={command}" for side, command in (("base", base), ("head", head))]


def pictures(folder: Path, version: str) -> Path:
    return wheel(folder, "pictures", version)


def test_everything_that_differs_stands_below_the_verdicts(project: Project, tmp_path: Path) -> None:
    project.tests(SLEEPS)
    base = environment(tmp_path / "base", pictures(tmp_path, "1.0"), wheel(tmp_path, "frames", "2.0"))
    head = environment(tmp_path / "head", pictures(tmp_path, "1.1"), variables="KMP_BLOCKTIME=0")
    origin = {"url": "file:///p", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}
    (tmp_path / "head/packages/pictures-1.1.dist-info/direct_url.json").write_text(json.dumps(origin))
    result = project.run("--benchmark-json=run.json", *PAIRED, *options(base, head))
    assert result.ret == 0
    found = project.json()["throughput"]["verdicts"]
    assert found["software_changes"] == {
        "frames": {"base": "2.0", "head": None},
        "pictures": {"base": "1.0", "head": "1.1 (git 0123456789ab)"},
    }
    assert found["variable_changes"] == {"KMP_BLOCKTIME": {"base": None, "head": "0"}}
    (verdict,) = found["cases"]
    assert verdict["value_base"] > 0 and verdict["value_head"] > 0 and verdict["unit"] == "items/s"
    result.stdout.fnmatch_lines(
        [
            "verdict * base * head * speed, head ÷ base *",
            "incomparable * sleep * items/s * items/s *",
            "variable KMP_BLOCKTIME: none → 0",
            "frames: 2.0 → none",
            "pictures: 1.0 → 1.1 (git 0123456789ab)",
            "the same in base and head: * other packages, CPython 3.*",
        ]
    )


def test_equal_interpreters_are_not_asked(project: Project) -> None:
    project.tests(SLEEPS)
    result = project.run(*PAIRED, *options(sys.executable, sys.executable), "--throughput-interpreter=theano=false")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("the same in base and head*")


def test_a_package_that_both_sides_would_import_from_the_rootdir_is_refused(project: Project, tmp_path: Path) -> None:
    project.tests(SLEEPS)
    (project.path / "pictures.py").touch()
    (project.path / "benchmarks").mkdir()
    sides = [environment(tmp_path / version, pictures(tmp_path, version)) for version in ("1.0", "1.1")]
    result = project.run(*PAIRED, *options(*sides))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "base and head have different versions of the module pictures, and would both measure" in str(result.stderr)
    assert "name the folder of the benchmarks instead (--throughput-pythonpath DIR)" in str(result.stderr)
    (project.path / "steps.py").rename(project.path / "benchmarks" / "steps.py")
    assert project.run(*PAIRED, *options(*sides), "--throughput-pythonpath=benchmarks").ret == 0


def test_an_editable_installation_that_comes_first_is_refused_too(tmp_path: Path) -> None:
    elsewhere = {"pictures": str(tmp_path / "sources" / "pictures.py"), "tests": "/any/tests/__init__.py"}
    with pytest.raises(
        pytest.UsageError, match=r"of the module pictures, and would both .* install it without --editable"
    ):
        _refuse_shared(elsewhere, [tmp_path / "benchmarks"])
    _refuse_shared({"tests": "/any/tests/__init__.py"}, [tmp_path])


def test_an_interpreter_that_does_not_answer_is_reported_with_its_case(project: Project, tmp_path: Path) -> None:
    project.tests(SLEEPS)
    result = project.run(*PAIRED, *options("false", sys.executable))
    result.stdout.fnmatch_lines(
        ["what differs between base and head is unknown: false does not answer as Python does*"]
    )


def test_a_part_of_a_namespace_that_another_folder_hides_is_found(tmp_path: Path) -> None:
    """As where the rootdir has the sources of a package in a namespace, which other packages share."""
    command = environment(tmp_path / "it", pictures(tmp_path, "1.0"))
    packages, rootdir = tmp_path / "it/packages", tmp_path / "rootdir"
    for file in (packages / "acme/frames.py", rootdir / "acme/other.py"):
        file.parent.mkdir(parents=True)
        file.touch()
    with open(packages / "pictures-1.0.dist-info/RECORD", "a") as record:
        record.write("acme/frames.py,,\n")
    interpreter = parse_interpreter(f"python={command}")

    def elsewhere() -> dict[str, str]:
        return imported_from_elsewhere(interpreter, ["pictures"], {"PYTHONPATH": str(rootdir)})

    assert elsewhere() == {}
    (rootdir / "acme/frames.py").touch()
    assert elsewhere() == {"acme": str(rootdir / "acme")}


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        (None, "1.0"),
        ("{nonsense", "1.0"),
        ("[]", "1.0"),
        ('{"vcs_info": {}}', "1.0"),
        ('{"url": "file:///home/me/pictures", "dir_info": {}}', "1.0 (/home/me/pictures)"),
        ('{"url": "file:///p", "dir_info": {"editable": true}}', "1.0 (editable, /p)"),
        (
            '{"url": "https://x/p.whl", "archive_info": {"hashes": {"sha256": "0123456789abcdef"}}}',
            "1.0 (sha256 0123456789ab)",
        ),
        ('{"url": "https://x/p.whl", "archive_info": {}}', "1.0"),
    ],
)
def test_the_origin_of_a_package_is_named(tmp_path: Path, origin: str | None, shown: str) -> None:
    command = environment(tmp_path / "it", pictures(tmp_path, "1.0"))
    if origin is not None:
        (tmp_path / "it/packages/pictures-1.0.dist-info/direct_url.json").write_text(origin)
    interpreter = parse_interpreter(f"python={command}")
    assert Inventory.of(interpreter).packages["pictures"] == shown
    assert imported_from_elsewhere(interpreter, ["pictures"], {"PYTHONPATH": ""}) == {}
