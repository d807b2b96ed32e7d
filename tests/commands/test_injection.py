"""What a file says, in any of its places, gives no orders to a terminal or a CI system, in any form of output."""

from __future__ import annotations

import ast
import copy
import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import result_files
from mutations import HOSTILE, obeyed, places, renamed, replaced

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import Heading, Journal
from pytest_throughput.worker.protocol import Outcome

Command = Callable[..., tuple[int, str, str]]

CASE = result_files.CASES[0]
MARKUP = "`<img src=x>` @everyone #1 [a](https://example.org) www.example.org | *x*"
FACTS = {
    "settings": {"threads": 2, "isolation": "trial", "protocol": "quick"},
    "versions": {"torch": "2.12"},
    "disturbed_by": "another process",
    "model_flops_utilisation": 0.5,
    "peak": {"tflops": 1.0, "method": "measured", "source": "a table"},
    "largest_batch": {"fits": 8, "tried": {"8": "ok"}},
    "swapped_bytes": 2**30,
    "telemetry": {"gpu": {"power_watts": 250.0}},
    "network_hash": "h",
}


def ours(seed: int, **how: Any) -> dict[str, Any]:
    """A result of one case in an environment of its own, with everything that is ever shown of one."""
    document = result_files.our_document(seed, cases=[CASE], environments=["env"], trials=1, **how)
    (case,) = document["throughput"]["cases"]
    case["reason"], case["implausible"] = "because", "it cannot be"
    for benchmark in document["benchmarks"]:
        benchmark["extra_info"].update(copy.deepcopy(FACTS))
    failed = {**case, "id": "b", "status": "failed", "trials": []}
    document["throughput"]["cases"].append(failed)
    return document


def hostile(document: Any, text: str) -> Iterator[Any]:
    """Yield the document with the text as each value and as each key in turn."""
    for way in places(document):
        yield replaced(document, way, text)
        if isinstance(way[-1], str):
            yield renamed(document, way, text)


FORMS = (
    ("show", "--columns", "all", "MUTANT"),
    ("accept", "MUTANT", "--baseline", "mutants", "--keep", "1"),
    ("gate", "MUTANT", "--baseline", "kept", "--format", "table"),
    ("gate", "MUTANT", "--baseline", "kept", "--format", "json"),
    ("gate", "MUTANT", "--baseline", "kept", "--format", "markdown"),
    ("compare", "--base", "MUTANT", "--head", "whole.json"),
)
"""Every command that reads a result, in every form of its output."""
TEXTS = pytest.mark.parametrize(
    ("text", "forms", "turns"),
    [
        pytest.param(HOSTILE, FORMS, 5, id="hostile"),
        pytest.param(HOSTILE, FORMS, 1, id="hostile-in-all-forms", marks=pytest.mark.slow),
        pytest.param(MARKUP, FORMS[4:5], 1, id="markup"),
    ],
)
"""A text, the forms of output that may show it, and in how many turns: each mutant is read in those of its turn."""


def read(command: Command, document: Any, forms: Any) -> None:
    result_files.write(Path(), "MUTANT", document)
    for arguments in forms:
        status, out, err = command(*arguments)
        assert (status == 2) == (err != "") and err.count("\n") == (status == 2)
        check(arguments[-1], out + err)


def check(form: str, output: str) -> None:
    assert obeyed(output) is None
    if form == "json" and output.startswith("{"):
        json.loads(output)
    if form == "markdown" and output.startswith("#"):
        text = re.sub(r"</?(?:details|summary)>", "", output)
        assert not any(harm in text for harm in ("`", "<", "@", " #1", "[", "https:", "www."))
        # GitHub looks for mentions and references in what the escapes mean.
        assert not re.search(r"[@#]\w|:(?://|[\w+-]+:)", html.unescape(text.removeprefix("###")))


@TEXTS
def test_nothing_in_a_result_file_is_obeyed(command: Command, text: str, forms: Any, turns: int) -> None:
    for seed in range(4):
        result_files.write(Path(), "whole.json", ours(seed))
        assert command("accept", "whole.json", "--baseline", "kept")[0] == 0
    for number, document in enumerate(hostile(ours(9, slower={CASE: 0.5}, version="2.13"), text)):
        read(command, document, forms[number % turns :: turns])


@TEXTS
def test_nothing_in_a_plain_file_is_obeyed(command: Command, text: str, forms: Any, turns: int) -> None:
    for seed in range(4):
        result_files.write(Path(), "whole.json", result_files.plain_document(seed, names=1, trials=1))
        assert command("accept", "whole.json", "--baseline", "kept")[0] == 0
    for number, document in enumerate(hostile(result_files.plain_document(9, names=1, trials=1, slower=0.5), text)):
        read(command, document, forms[number % turns :: turns])
        status, out, err = command("show", "MUTANT", "--items-param", text)
        assert status in (0, 2) and obeyed(out + err) is None


@pytest.mark.slow
@TEXTS
def test_nothing_in_a_baseline_is_obeyed(command: Command, text: str, forms: Any, turns: int) -> None:
    for seed in range(4):
        result_files.write(Path(), "whole.json", ours(seed))
        assert command("accept", "whole.json", "--baseline", "kept")[0] == 0
    head = ours(9, version="2.13")
    last = sorted(Path("kept").rglob("*.json"))[-1]
    forms = [form for form in forms if form[0] == "gate"]
    for number, document in enumerate(hostile(json.loads(last.read_text()), text)):
        last.write_text(json.dumps(document))
        read(command, head, forms[number % turns :: turns])


def test_nothing_in_a_journal_is_obeyed(command: Command) -> None:
    written = Journal(
        Path("whole.jsonl"), Heading({"cpu": {"model": "A"}, "gpus": []}, {"protocol": "quick"}, ("-k", "x"))
    )
    quiet = Disturbance(0.0, 0.0, 0, 0.0, 0.0)
    measurement = Measurement((0.1, 0.2), 1, 0.3, 2, "target", 0.1, (quiet, quiet))
    for name, outcome in (
        ("a", Outcome("ok", measurement=measurement, metadata={**FACTS, "implausible": "it cannot be"})),
        ("b", Outcome("failed", "because", "Traceback:\n  x")),
    ):
        written.add(EndedTrial(name, "env", {"model": "m", "batch_size": 8}, 1, "2026", 8, outcome))
    written.close()
    lines = [json.loads(line) for line in Path("whole.jsonl").read_text().splitlines()]
    tried = 0
    for mutant in hostile(lines, HOSTILE):
        if not all(isinstance(line, dict) for line in mutant):
            continue
        Path("mutant.jsonl").write_text("".join(json.dumps(line) + "\n" for line in mutant))
        status, out, err = command("show", "mutant.jsonl")
        assert status in (0, 2) and err.count("\n") == (status == 2)
        assert obeyed(out + err) is None
        tried += 1
    assert tried > 100


def test_a_heading_is_no_markup(command: Command) -> None:
    document = result_files.plain_document(1, names=1, trials=1)
    document["benchmarks"][0]["params"]["[/bold]"] = 3
    result_files.write(Path(), "run.json", document)
    status, out, _ = command("show", "run.json", "--items-param", "[/bold]")
    assert (status, "[/bold]/s" in out) == (0, True)


def test_all_output_goes_one_way() -> None:
    """Whatever printed elsewhere would have to make its text harmless by itself."""
    plugin = Path(__file__).parents[2] / "plugins/pytest_throughput"
    printing = set()
    for path in plugin.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if name in ("print", "write_line"):
                printing.add(path.name)
    # A text for rich, and the one place.
    assert printing == {"console.py", "output.py"}
