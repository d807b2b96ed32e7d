# mypy: ignore-errors
# This program runs on the code of commit 14f5efd, whose modules have other names.
"""Judge runs of pairs by the gate of commit 14f5efd, as a server: arrays come in, decisions go out, both pickled.

PYTHONPATH=OLD/plugins python gate_14f5efd.py
"""

from __future__ import annotations

import pickle
import sys

from pytest_throughput.regression.decisions import decide
from pytest_throughput.regression.model import estimate
from pytest_throughput.regression.verdicts import Design, Rules

RULES = Rules()


def main() -> None:
    while True:
        try:
            base, head = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        rate = RULES.false_alarm_rate
        decisions = decide(estimate(base, head, design=Design.PAIRS, false_alarm_rate=rate), RULES)
        answer = decisions.regressed, decisions.unchanged, decisions.worth_confirming
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
