"""The figures of one measured trial, and how they pass between processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Tuple

from pytest_throughput.measurement.disturbance import Disturbance

__all__ = ["Measurement"]

_SHORTEST_SECONDS = 1e-12
"""The shortest time of a round other than zero: no clock resolves less."""
_LONGEST_SECONDS = 1e9
"""No time of any run is as long, and none so long that arithmetic on it could overflow."""
_LARGEST_COUNT = 10**15


@dataclass(frozen=True)
class Measurement:
    """One trial: all rounds of one case in one process. Times are wall seconds."""

    round_seconds: Tuple[float, ...]
    steps_per_round: int
    first_step_seconds: Optional[float]
    """The first step alone: compiling, autotuning and lazy loading happen here. None where it cannot be compared, since
    earlier cases of the process may have loaded what it needs."""
    warm_up_steps: int
    stop_reason: str
    """``target``, ``stable_noise``, ``max_rounds`` or ``time_cap``, see ``StoppingRule``; ``stopped`` where no further
    slice was asked for; ``once`` of a phase."""
    latency_seconds: float
    """The median of single steps, each of which is waited for."""
    disturbances: Tuple[Disturbance, ...]
    window: Optional[Tuple[float, float]] = None
    """``time.monotonic``, which all processes of a machine share, before the first round and after the last."""
    pipelining: bool = False
    """Whether a step could be launched while the device was busy with the one before; see ``MeasuringLoop``."""
    page_faults: Optional[int] = None
    """The minor page faults of the process during the rounds; None where they were not counted."""

    def to_json(self) -> Dict[str, Any]:
        """Return the measurement as a JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Dict[str, Any]) -> Measurement:
        """Read what ``to_json`` wrote. Raise KeyError, TypeError or ValueError if it is something else."""
        fields = dict(value)
        fields["round_seconds"] = tuple(fields["round_seconds"])
        fields["disturbances"] = tuple(Disturbance(**each) for each in fields["disturbances"])
        if fields.get("window") is not None:
            began_at, ended_at = fields["window"]
            if not (type(began_at) is type(ended_at) is float and 0.0 <= began_at <= ended_at < _LONGEST_SECONDS):
                raise ValueError("expected a window from one time to a later one")
            fields["window"] = began_at, ended_at
        measurement = cls(**fields)
        times = [*measurement.round_seconds, measurement.latency_seconds]
        if measurement.first_step_seconds is not None:
            times.append(measurement.first_step_seconds)
        for each in measurement.disturbances:
            times += [seconds for seconds in vars(each).values() if seconds is not None]
        if not all(type(seconds) in (float, int) and 0.0 <= seconds < _LONGEST_SECONDS for seconds in times):
            raise ValueError("expected times of zero seconds or more")
        if any(0.0 < seconds < _SHORTEST_SECONDS for seconds in measurement.round_seconds):
            raise ValueError("expected rounds of zero seconds, or of what a clock can resolve")
        counts = [measurement.steps_per_round, measurement.warm_up_steps]
        counts += [each.involuntary_switches for each in measurement.disturbances]
        counts.append(0 if measurement.page_faults is None else measurement.page_faults)
        if not all(type(count) is int and 0 <= count <= _LARGEST_COUNT for count in counts):
            raise ValueError("expected whole numbers of steps, switches and page faults")
        if not isinstance(measurement.stop_reason, str) or type(measurement.pipelining) is not bool:
            raise TypeError("expected a text as stop_reason, and true or false as pipelining")
        if not 1 <= len(measurement.round_seconds) == len(measurement.disturbances) or measurement.steps_per_round < 1:
            raise ValueError("expected at least one round of at least one step, each with its disturbance")
        return measurement

    @property
    def seconds_per_step(self) -> List[float]:
        """The seconds per step of each round."""
        return [seconds / self.steps_per_round for seconds in self.round_seconds]

    @property
    def page_faults_per_step(self) -> Optional[float]:
        """The minor page faults of a step, on average; None where they were not counted."""
        steps = self.steps_per_round * len(self.round_seconds)
        return None if self.page_faults is None else self.page_faults / steps

    @property
    def disturbed(self) -> List[Optional[bool]]:
        """Whether the rest of the machine held each round up; None where that is unknown."""
        pairs = zip(self.disturbances, self.round_seconds)
        return [disturbance.is_large_for(seconds) for disturbance, seconds in pairs]
