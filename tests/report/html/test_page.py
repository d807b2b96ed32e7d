"""The page: nothing in it is markup but its own, and nothing is too large."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import result_files
from mutations import obeyed
from reported_runs import MARKUP, full_document, hostile_document, hostile_plain_document

from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, Cell, DataTable, Section
from pytest_throughput.report.html import page as page_module
from pytest_throughput.report.html.page import Page, render
from pytest_throughput.report.run_page import page_of
from pytest_throughput.results.reader import read_run


class Elements(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def chart(number: int, bars: int = 3) -> BarChart:
    parts = tuple(Bar(f"bar {index}", (BarPart("pytorch", 0, 1.0 + index),)) for index in range(bars))
    return BarChart(f"panel {number}", f"chart {number}", Axis("images/s"), parts)


def table(rows: int, **how: Any) -> DataTable:
    return DataTable(
        "a table", ("name", "value"), tuple((Cell(f"row {n}"), Cell(str(n), n)) for n in range(rows)), **how
    )


def page(*sections: Section, **how: Any) -> Page:
    return Page("A title", ("a line",), sections, **how)


@pytest.mark.parametrize("document", [hostile_document(), hostile_plain_document()], ids=["ours", "plain"])
def test_no_text_of_a_file_becomes_markup(tmp_path: Path, document: dict[str, Any]) -> None:
    file = Path(result_files.write(tmp_path, "run.json", document))
    rendered = render(page_of({MARKUP: read_run(file)}))
    rendered.encode()
    found = Elements(rendered)
    assert found.tags["script"] == found.tags["style"] == 1
    assert not found.tags.keys() & {"img", "a href", "iframe", "object", "embed", "form", "base", "link", "textarea"}
    assert not [each for each in found.attributes if each[1].startswith("on")]
    linked = {value[:1] for _, name, value in found.attributes if name in ("href", "src", "xlink:href", "action")}
    assert linked == {"#"}
    assert "<script>window.hacked" in found.text
    assert "{{ 7 * 7 }}" in found.text
    assert obeyed(found.text) is None


def test_the_page_runs_its_own_style_and_script_alone() -> None:
    rendered = render(page(Section("one", "One", (chart(1),), (table(2),), ("a note",))))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', rendered)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        source = re.search(rf"<{tag}>(.*?)</{tag}>", rendered, re.DOTALL)
        assert source is not None
        digest = base64.b64encode(hashlib.sha256(source[1].encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert rules == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    assert 'style="' not in rendered
    assert not re.search(r"https?://(?!www\.w3\.org/)", rendered)


def test_a_section_has_its_heading_notes_charts_and_tables() -> None:
    rendered = render(page(Section("one", "One & only", (chart(1),), (table(2),), ("a <note>",)), notes=("beware",)))
    assert '<a href="#one">One &amp; only</a>' in rendered
    assert '<h2 id="one">One &amp; only</h2>' in rendered
    assert "a &lt;note&gt;" in rendered
    assert "<li>beware</li>" in rendered
    text = Elements(rendered).text
    assert text.index("chart 1") < text.index("bar 0") < text.index("a table")


def test_numbers_are_aligned_and_sorted_by_their_values() -> None:
    cells = (
        Cell("a"),
        Cell("81.20", 81.203),
        Cell("1,823", 1823),
        Cell("81.20", 0.0812034),
        Cell("3 of 4", 3),
        Cell("-"),
    )
    numbers = DataTable("a", ("x",) * 6, (cells,), numbers=frozenset(range(1, 6)))
    rendered = render(page(Section("one", "One", tables=(numbers,))))
    row = "<th scope=row>a<td>81.20<td>1,823<td data-number=0.081203>81.20<td data-number=3>3 of 4<td>-"
    assert f"<tr>{row}</tbody>" in rendered
    assert '<table class="sortable n2 n3 n4 n5 n6">' in rendered
    assert ".n2 tr > :nth-child(2) { text-align: right; }" in rendered
    assert "<label>Filter" not in rendered
    assert "<label>Filter" in render(page(Section("one", "One", tables=(table(1, is_filterable=True),))))


def test_a_command_unfolds() -> None:
    cell = Cell("command", command="pytest 'a[b]'")
    rendered = render(page(Section("one", "One", tables=(DataTable("a", ("x",), ((cell,),)),))))
    assert "<summary>command</summary><code>pytest &#39;a[b]&#39;</code>" in rendered


def test_what_all_commands_end_with_stands_once() -> None:
    commands = "pytest 'a[b]' --x 1 --y 'a  b' --z", "pytest c --x 2 --y 'a  b' --z"
    rows = tuple((Cell("command", command=command),) for command in commands)
    rendered = render(page(Section("one", "One", tables=(DataTable("a", ("x",), rows),))))
    assert "<code>pytest &#39;a[b]&#39; --x 1</code>" in rendered
    assert "<code>pytest c --x 2</code>" in rendered
    assert "Every command ends with <code>--y &#39;a b&#39; --z</code>" in rendered


def test_many_notes_unfold() -> None:
    text = render(page(notes=tuple(f"note {n}" for n in range(20))))
    assert "<summary>14 more notes</summary>" in text
    assert "note 19" in text


def test_long_tables_are_cut_and_the_page_says_so() -> None:
    text = render(page(Section("one", "One", tables=(table(201), table(201, is_filterable=True)))))
    assert text.count("<tr>") == 200 + 201 + 2
    assert "The table “a table” shows the first 200 rows of 201." in text


def test_charts_that_do_not_fit_are_left_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    many, few = Section("many", "Many", tuple(map(chart, range(40)))), Section("few", "Few", (chart(99),))
    size = len(render(page(replace(many, charts=many.charts[:1])))) - len(render(page()))
    monkeypatch.setattr(page_module, "_MOST_CHARACTERS", 10 * size)
    monkeypatch.setattr(page_module, "_LEAST_CHART_CHARACTERS", 10 * size)
    rendered = render(page(many, few))
    assert "chart 99" in rendered
    shown = rendered.count("<figure>") - 1
    assert 5 <= shown < 40
    assert f"{40 - shown} of 40 charts are left out" in rendered


@pytest.mark.slow
def test_a_page_of_500_cases_has_all_charts_and_is_smaller_than_a_megabyte(tmp_path: Path) -> None:
    run = read_run(Path(result_files.write(tmp_path, "run.json", full_document())))
    assert 450 <= len(run.cases) <= 500
    rendered = render(page_of({"run.json": run}))
    assert "because the page would become too large" not in rendered
    assert 400_000 < len(rendered.encode()) < 900_000
