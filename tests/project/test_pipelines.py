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
        for step in job["steps"]:
            # Text from a pull request in a script would be a part of the script.
            assert "${{ github" not in step.get("run", "")


def test_the_gate_on_a_gpu_never_runs_the_code_of_a_fork() -> None:
    (job,) = parsed((ROOT / ".github/workflows/gpu-gate.yml").read_text())["jobs"].values()
    assert job["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def test_the_scripts_of_the_workflows_are_scripts() -> None:
    steps = [step for path in WORKFLOWS for job in parsed(path.read_text())["jobs"].values() for step in job["steps"]]
    for script in [*SCRIPTS, *(step["run"] for step in steps if "run" in step)]:
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
