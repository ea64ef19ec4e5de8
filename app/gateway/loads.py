"""What targets have to do at the moment, and how quickly they answer: counted by a gate, read by balancers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.gateway.guard import Passage, Spent, Ticket
from app.gateway.latency import Latency
from app.gateway.target_limits import OPEN
from app.telemetry.clock import Clock
from app.telemetry.record import Charge
from providers.types import Target


@dataclass(slots=True)
class Load:
    """Of one target."""

    running: int = 0
    """Attempts that are under way."""
    _streams: Latency = field(default_factory=Latency)
    _whole: Latency = field(default_factory=Latency)

    def latency(self, *, stream: bool) -> Latency:
        """Give what is known of its streams, or of its whole answers: those take longer to begin."""
        return self._streams if stream else self._whole

    def expect(self, now: float, *, stream: bool) -> tuple[float, int]:
        """Give the seconds that another call would probably wait, and how many are under way."""
        return self.latency(stream=stream).expect(now, self.running), self.running

    def begin(self, *, stream: bool) -> None:
        """Count an attempt in."""
        self.running += 1
        self.latency(stream=stream).running += 1

    def end(self, spent: Spent, now: float, *, stream: bool) -> None:
        """Count it out, and learn from it.

        One that was cut short teaches nothing, and neither does a request that was refused as wrong;
        every other failure does, a limit of theirs too: it keeps calls waiting as well.
        """
        latency = self.latency(stream=stream)
        self.running -= 1
        latency.running -= 1
        if spent.verdict.model == "success" and spent.until_answer is not None:
            latency.learn(spent.until_answer, now)
        elif not spent.cut_short and spent.verdict.provider != "success":
            latency.fail(spent.seconds, now)


class Loads:
    """Of all targets that some balancer asks about. It outlives a change of the configuration."""

    def __init__(self) -> None:
        self._loads: dict[tuple[str, str], Load] = {}

    def configure(self, targets: Iterable[str]) -> None:
        """Watch these targets, each `provider/model`. Of those that were watched before, all is kept."""
        pairs = [name.partition("/") for name in targets]
        self._loads = {
            (provider, model): self._loads.get((provider, model)) or Load() for provider, _, model in pairs
        }

    def watched(self, target: Target) -> Load | None:
        """Give the load of a target, where it is watched."""
        return self._loads.get((target.provider, target.model))

    def of(self, target: Target) -> Load:
        """Give the load of a target; of one that is not watched, that of an idle one."""
        return self._loads.get((target.provider, target.model)) or Load()


@dataclass(frozen=True, slots=True)
class LoadGate:
    """The gate that lets every attempt through and watches how it fares."""

    loads: Loads
    clock: Clock

    async def take(self, ticket: Ticket, target: Target) -> Passage:
        """Count the attempt in. Never raises."""
        load = self.loads.watched(target)
        if load is None:
            return OPEN
        stream = ticket.call.stream
        load.begin(stream=stream)
        return _Counted(load, stream, self.clock)


@dataclass(frozen=True, slots=True)
class _Counted:
    load: Load
    stream: bool
    clock: Clock

    def charges(self) -> Sequence[Charge]:
        return ()

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        self.load.end(spent, self.clock.monotonic(), stream=self.stream)
        return ()
