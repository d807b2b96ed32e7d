"""The words of ``--columns`` and ``--sort``."""

from __future__ import annotations

import pytest

from pytest_throughput.naming import COLUMNS, SORT_KEYS
from pytest_throughput.options.table_options import COLUMNS_OPTION, SORT_OPTION


def test_a_list_has_each_word_once_in_its_order() -> None:
    assert COLUMNS_OPTION.convert("p90, status,p90") == ("p90", "status")
    assert COLUMNS_OPTION.convert(",".join(COLUMNS)) == COLUMNS
    assert COLUMNS_OPTION.convert("all") == ("all",)
    assert COLUMNS_OPTION.default_value is None


@pytest.mark.parametrize("text", ["", "p95", "p50,", "P50", "name", "p50;p90"])
def test_other_columns_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected all, or some of, with commas: largest_batch, .*, status; got '"):
        COLUMNS_OPTION.convert(text)


def test_rows_are_sorted_by_one_word() -> None:
    assert [SORT_OPTION.convert(word) for word in SORT_KEYS] == [*SORT_KEYS]
    assert SORT_OPTION.default_value == "run"
    for text in ("", "status", "all", "ratio,name"):
        with pytest.raises(ValueError, match=r"^expected one of: run, name, .*, disturbed, got '"):
            SORT_OPTION.convert(text)
