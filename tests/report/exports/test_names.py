"""Names of cases: unique, printable, the same in every run."""

from __future__ import annotations

from invented_runs import HOSTILE_NAMES, a_case

from pytest_throughput.report.exports.names import case_names, distinct


def test_a_case_is_named_by_its_id_and_an_environment_that_is_not_the_default() -> None:
    names = case_names([a_case("a"), a_case("a", environment="head")])
    assert [*names.values()] == ["a", "a (head)"]


def test_ids_that_look_alike_have_different_names_in_any_order() -> None:
    cases = [a_case(name) for name in ("a  b", "a b", "c")]
    names = case_names(cases)
    assert case_names(cases[::-1]) == names
    assert len({*names.values()}) == 3 and names["c", "default"] == "c"


def test_names_suit_markdown_tables_and_have_a_limit() -> None:
    names = [*case_names([a_case(name) for name in (*HOSTILE_NAMES, "x" * 5_000, "\x01" * 500, " ")]).values()]
    assert len({*names}) == len(names)
    for name in names:
        assert 0 < len(name) < 600 and name.isprintable() and not {*"`|"} & {*name}


def test_any_keys_can_be_told_apart() -> None:
    assert distinct({1: "a", 2: "b"}) == {1: "a", 2: "b"}
    assert len({*distinct({1: "a", 2: "a", "\ud800": "a"}).values()}) == 3
    first, second = distinct({1: "a", 2: "a"}).values()
    assert len({*distinct({1: "a", 2: "a", 3: first, 4: second}).values()}) == 4
