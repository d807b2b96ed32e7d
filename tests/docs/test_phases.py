"""The job of several phases in docs/adding.md runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs/adding.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, re.DOTALL))


def test_a_job_of_several_phases_is_measured(tmp_path: Path) -> None:
    (command,) = re.findall(r"^pytest test_classify.py .*$", TEXT, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    for name in ("classify.py", "test_classify.py"):
        (tmp_path / name).write_text(FILES[name])
    ran = subprocess.run(
        [
            *(sys.executable, "-m", *command.split(), "--benchmark-json=run.json"),
            *("--throughput-lock=off", "-p", "no:cacheprovider"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    document = json.loads((tmp_path / "run.json").read_text())
    assert len(document["benchmarks"]) == 9
    infos = {benchmark["extra_info"]["phase"]: benchmark["extra_info"] for benchmark in document["benchmarks"]}
    found = {phase: [metric["name"] for metric in info["metrics"]] for phase, info in infos.items()}
    assert found == {
        "load": ["images_per_second", "seconds", "page_faults_per_step"],
        "predict": ["images_per_second", "seconds", "accuracy", "page_faults_per_step"],
        "save": ["seconds", "page_faults_per_step"],
    }
    items = {phase: info["batch_size"] for phase, info in infos.items()}
    assert items == {"load": 200, "predict": 200, "save": 1}
    for phase in found:
        assert re.search(rf"^test_classify.py::test_classify\[{phase}\] .* ok$", ran.stdout, re.MULTILINE)
