"""The option of the anchor, and what it excludes."""

from __future__ import annotations

import pytest

from pytest_throughput.launch.anchors import Anchors, parse_anchor
from pytest_throughput.options.option import Option
from pytest_throughput.options.values import OptionValues

__all__ = ["ANCHOR", "read_anchors"]

ANCHOR = Option(
    name="anchor",
    metavar="[NAME=]COMMAND",
    read=parse_anchor,
    repeatable=True,
    help="The command that starts Python in an environment that stays the same, such as the accepted one. Each trial "
    "is measured as a live pair with the same case there, and the gate compares ratios to it, so that runs of "
    "different hours can be compared. NAME: for that framework only. Implies isolation 'trial'. Can be given several "
    "times.",
)


def read_anchors(values: OptionValues, environments: tuple[str, ...], isolation: str) -> tuple[Anchors, str]:
    """Return the anchors and the isolation, which is ``trial`` with an anchor. Raise pytest.UsageError."""
    if len(environments) > 1:
        if values.on_command_line("anchor"):
            raise pytest.UsageError(
                "--throughput-anchor measures an environment beside one that stays the same, and this run compares "
                f"{' and '.join(environments)} with each other; leave out --throughput-anchor, or the environments of "
                "--throughput-interpreter"
            )
        return Anchors(), isolation  # An anchor in the ini file applies only to runs with one environment.
    if values("order") == "paired" and values.on_command_line("order"):
        if values.on_command_line("anchor"):
            raise pytest.UsageError(
                "--throughput-anchor measures each trial beside an environment that stays the same, and "
                "--throughput-order paired measures the cases of a work with each other; leave out one of them"
            )
        return Anchors(), isolation
    try:
        anchors = Anchors(values("anchor"))
    except ValueError as error:
        raise pytest.UsageError(f"{values.spelled('anchor')}: {error}") from None
    if anchors and "isolation" not in values.given:
        isolation = "trial"
    if anchors and isolation != "trial":
        raise pytest.UsageError(
            f"{values.spelled('anchor')}: it needs fresh processes, --throughput-isolation trial, not {isolation}"
        )
    return anchors, isolation
