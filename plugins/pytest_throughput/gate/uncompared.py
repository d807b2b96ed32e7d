"""The sentences that explain why a case cannot be compared, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_throughput.gate.rules import FEWEST_UNITS
from pytest_throughput.text import count, printable

__all__ = [
    "NETWORK_CHANGED",
    "lost_metric",
    "missing",
    "new",
    "new_metric",
    "no_figures",
    "settings_changed",
    "too_few_in_groups",
    "too_few_machines",
    "too_few_runs",
    "unknown_in_shared_process",
    "unseen_machine",
    "worse_status",
]

NETWORK_CHANGED = "the network differs from the baseline's; accept a run of the new network"

_MOST_SETTINGS_NAMED, _LONGEST_SETTING = 3, 80


def missing(runs: int) -> str:
    return f"in {count(runs, 'run')} of the baseline, but not in this one, though it was asked for"


def new(status_before: str | None, status_now: str) -> str:
    if status_before is not None:
        return f"measured now, and {status_before} in the baseline; judged as soon as the baseline measures it"
    if status_now != "ok":
        return f"not in the baseline, and {status_now} now"
    return "not in the baseline; judged as soon as the baseline has it"


def new_metric(name: str) -> str:
    return f"the baseline does not have {name} of this case; judged as soon as it does"


def lost_metric(name: str) -> str:
    return f"the baseline has {name} of this case, and this run does not"


def unknown_in_shared_process(name: str) -> str:
    return f"{name} is unknown where one process measures several cases; measure with --throughput-isolation trial"


def worse_status(status_before: str, status_now: str) -> str:
    return f"{status_now} now, and {'measured' if status_before == 'ok' else status_before} in the baseline"


def no_figures(status: str) -> str:
    return f"no figures to compare: {status}, now as in the baseline"


def settings_changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return the sentence for settings that differ, given as JSON texts by name; empty where they are unknown."""
    differ = sorted(name for name in {*before, *now} if before.get(name) != now.get(name)) if before and now else []
    named = [f"{name} was {_setting(before, name)}, is {_setting(now, name)}" for name in differ[:_MOST_SETTINGS_NAMED]]
    if len(differ) > len(named):
        named.append(f"{len(differ) - len(named)} more")
    which = f" ({'; '.join(named)})" if named else ""
    return f"measured with other settings than the baseline{which}; use the same settings, or accept a run with these"


def _setting(settings: Mapping[str, str], name: str) -> str:
    return printable(settings[name], _LONGEST_SETTING) if name in settings else "not set"


def too_few_runs(own: int, all_runs: int) -> str:
    of_them = "" if own == all_runs else f", {own} of them of this machine"
    return (
        f"{count(all_runs, 'accepted run')}{of_them}, too few to know how much runs differ; "
        f"accept {count(max(FEWEST_UNITS - own, 1), 'more run')} of this machine, or compare interleaved pairs"
    )


def too_few_in_groups(runs: int) -> str:
    """Return the sentence for groups that have so many runs on both sides together."""
    return (
        f"{count(runs, 'run')} in all, too few to know how much runs differ; "
        f"measure {count(max(FEWEST_UNITS + 1 - runs, 1), 'more run')} of this machine, or compare interleaved pairs"
    )


def too_few_machines(machines: int) -> str:
    return (
        f"runs of several machines against those of {count(machines, 'machine')}: machines of one model differ by up "
        "to 8 %; compare runs of one machine, or accept runs of at least three"
    )


def unseen_machine(machines: int) -> str:
    return (
        f"this machine is not in the baseline, which has {count(machines, 'machine')} of the same hardware: machines "
        "of one model differ by up to 8 %; accept runs of this one, or of at least three"
    )
