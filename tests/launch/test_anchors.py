"""Which command starts the anchor for a framework."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.launch.anchors import Anchors, parse_anchor
from pytest_throughput.launch.interpreters import Interpreter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/accepted/bin/python", Interpreter("anchor", "*", ("/opt/accepted/bin/python",))),
        ("pytorch=python3 -X utf8", Interpreter("anchor", "pytorch", ("python3", "-X", "utf8"))),
        ("env A=b python", Interpreter("anchor", "*", ("env", "A=b", "python"))),
        ("/opt/a=b/bin/python", Interpreter("anchor", "*", ("/opt/a=b/bin/python",))),
    ],
)
def test_reads_name_and_command(text: str, expected: Interpreter) -> None:
    assert parse_anchor(text) == expected


@pytest.mark.parametrize("text", ["", " ", "pytorch=", "pytorch= "])
def test_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected \[NAME=\]COMMAND, such as /opt/accepted/bin/python or pytorch="):
        parse_anchor(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        anchor = parse_anchor(text)
    except ValueError:
        return
    assert anchor.command
    assert anchor.name


def test_a_framework_has_its_own_anchor_or_that_of_all() -> None:
    anchors = Anchors(map(parse_anchor, ["pytorch=/a", "/b"]))
    found = {name: anchors.find(name) for name in ("pytorch", "tensorflow")}
    assert {name: each and each.command for name, each in found.items()} == {"pytorch": ("/a",), "tensorflow": ("/b",)}
    assert anchors.commands == {"*": "/b", "pytorch": "/a"}
    assert anchors.missing is not None
    assert Anchors([parse_anchor("pytorch=/a")]).find("tensorflow") is None
    assert Anchors([parse_anchor(sys.executable)]).missing is None
    assert not Anchors()


@pytest.mark.parametrize(
    ("given", "message"),
    [(["a=/x", "a=/y"], "two anchors for a"), (["/x", "/y"], "two anchors for every framework")],
)
def test_two_anchors_for_one_framework_are_refused(given: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Anchors(map(parse_anchor, given))
