"""The workflows of this project and the examples of docs/ci.md: the published schemas, and what they promise."""

from __future__ import annotations

import io
import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs/ci.md").read_text(), re.DOTALL | re.MULTILINE)
YAMLS = [text for language, text in EXAMPLES if language == "yaml"]
SCRIPTS = [text for language, text in EXAMPLES if language == "sh"]

yaml = pytest.importorskip("ruamel.yaml")
jsonschema = pytest.importorskip("jsonschema")


def parsed(text: str) -> Any:
    return yaml.YAML(typ="safe", pure=True).load(io.StringIO(text))


def schema_errors(document: Any, name: str) -> list[str]:
    """Return what the schema objects to, which check-jsonschema has a copy of."""
    schema = json.loads(files("check_jsonschema.builtin_schemas.vendor").joinpath(f"{name}.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_fits_the_schema_and_has_no_more_rights_than_it_needs(path: Path) -> None:
    workflow = parsed(path.read_text())
    assert schema_errors(workflow, "github-workflows") == []
    assert "secrets." not in path.read_text() and "pull_request_target" not in workflow["on"]
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        if "self-hosted" in job["runs-on"]:
            assert job["concurrency"] == {"group": "gpu", "queue": "max"}
            assert "write" not in job.get("permissions", {}).values()


def test_the_gate_on_a_gpu_never_runs_the_code_of_a_fork() -> None:
    (job,) = parsed((ROOT / ".github/workflows/gpu-gate.yml").read_text())["jobs"].values()
    assert job["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def test_a_night_is_accepted_where_the_table_of_the_guide_says_so(tmp_path: Path) -> None:
    """The job ends with 0 then, which the one that accepts waits for."""
    rows = re.findall(r"^\| ([\d, ]+) \|.*\| ([^|]*) \|$", (ROOT / "docs/ci.md").read_text(), re.MULTILINE)
    expected = {int(status): at_night.startswith("accept") for cell, at_night in rows for status in cell.split(",")}
    assert len(expected) == 12
    jobs = parsed((ROOT / ".github/workflows/baselines.yml").read_text())["jobs"]
    (script,) = (step["run"] for step in jobs["measure"]["steps"] if "--throughput-baseline" in step.get("run", ""))
    python = tmp_path / "gpu-gate/pytest/bin/python"
    python.parent.mkdir(parents=True)
    for status, is_accepted in expected.items():
        python.write_text(f"#!/bin/sh\nexit {status}\n")
        python.chmod(0o755)
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(["bash", "-ec", script], env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == (0 if is_accepted else status)
    assert "needs.measure.result == 'success' || inputs.night" in jobs["accept"]["if"]


def test_the_wrapper_of_the_base_refuses_a_folder_that_is_missing(tmp_path: Path) -> None:
    """Without it, base would measure the networks of head."""
    (tmp_path / "it").mkdir()
    wrapper = str(ROOT / ".github/with-path")
    command = ["sh", "-c", "echo $PYTHONPATH"]
    found, missing = (
        subprocess.run(
            [wrapper, str(tmp_path / name), *command], env={"PYTHONPATH": "/x"}, capture_output=True, text=True
        )
        for name in ("it", "missing")
    )
    assert found.stdout == f"{tmp_path}/it:/x\n"
    assert (missing.returncode, missing.stdout) == (1, "")


def test_the_scripts_of_workflows_and_examples_are_scripts() -> None:
    documents = [parsed(text) for text in [*(path.read_text() for path in WORKFLOWS), *YAMLS]]
    steps = [step for one in documents for job in one.get("jobs", {}).values() for step in job["steps"]]
    of_github = [step["run"] for step in steps if "run" in step]
    of_gitlab = [line for one in documents if "jobs" not in one for job in one.values() for line in job["script"]]
    # Text from a pull request in a script would be a part of the script.
    assert set(re.findall(r"\$\{\{(.*?)\}\}", "\n".join(of_github))) == {" matrix.session "}
    for script in [*SCRIPTS, *of_github, *of_gitlab]:
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_the_examples_fit_the_schemas() -> None:
    names = ["github-workflows" if "jobs:" in text else "gitlab-ci" for text in YAMLS]
    assert set(names) == {"github-workflows", "gitlab-ci"}
    for text, name in zip(YAMLS, names, strict=True):
        assert schema_errors(parsed(text), name) == []


def test_every_session_that_a_workflow_runs_exists() -> None:
    noxfile = (ROOT / "noxfile.py").read_text()
    sessions = {
        *re.findall(r"^def (\w+)\(session", noxfile, re.MULTILINE),
        *re.findall(r'session\(name="(.+?)"', noxfile),
    }
    for each in parsed((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]["nox"]["strategy"]["matrix"][
        "include"
    ]:
        assert {name.removesuffix(f"-{each['python']}") for name in each["session"].split()} <= sessions
