"""F18, F19: what is left of a gateway's work when three and ten times as much comes as it can do."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.gateway import KEY, ROOT, Gateway
from tests.harness.rig import ONE_TRY, config_for, start_gateway
from tests.harness.secrets import Secrets
from tests.proofs.conftest import Note

GATEWAYS_CORE, OTHERS_CORE = 0, max(os.sched_getaffinity(0))
VIP = "sk-test-vip-0123456789abcdef"


@dataclass(frozen=True)
class Measured:
    """What one run of the generator saw."""

    rate: float
    seconds: float
    accepted: Sequence[float]
    """Milliseconds to the first byte."""
    refused: Sequence[float]
    failed: int
    unsent: int
    unanswered: int
    without_retry_after: int
    late: float
    ended_each_second: Sequence[int]

    @property
    def goodput(self) -> float:
        return len(self.accepted) / self.seconds


def p99(times: Sequence[float]) -> float:
    return sorted(times)[math.ceil(len(times) * 0.99) - 1] if times else 0.0


@contextmanager
def steady_upstream() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.load.steady_upstream"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        os.sched_setaffinity(process.pid, {OTHERS_CORE})
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def loaded_gateway(folder: Path, secrets: Secrets) -> Iterator[Gateway]:
    """A gateway on a core of its own, with a provider that takes 50 ms, and lag counted as in earnest."""
    with steady_upstream() as port:
        up = {"base_url": f"http://127.0.0.1:{port}/v1", "keys": ["cred-0123456789abcdef"], **ONE_TRY}
        config = config_for({"up": {**up, "allow_private": True, "exact": True}, "echo": {}}, {})
        config["auth"]["keys"].append({"name": "vip", "key": VIP, "priority": "high"})
        earnest = {"SWITCHGEAR_SERVER__OVERLOAD__MAX_LAG": "100ms"}
        with start_gateway(folder, secrets, config, env=earnest) as gateway:
            # A flood's last rows may still be in the spool when it stops; the next start ships them.
            gateway.has_all_its_books = False
            for thread in Path(f"/proc/{gateway.serving_pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {GATEWAYS_CORE})
            yield gateway


def load(gateway: Gateway, rate: float, seconds: float, *options: str, warm_up: float = 2.0) -> Measured:
    arguments = {"port": gateway.port, "rate": rate, "seconds": seconds, "warm-up": warm_up, "key": KEY}
    command = [sys.executable, "-m", "tests.load.open_loop", "--model", "up/steady", *options]
    command += [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=seconds + warm_up + 30
    )
    seen: dict[str, Any] = json.loads(run.stdout)
    del seen["sent"]
    return Measured(rate, seconds, **seen)


def find_peak(gateway: Gateway, seconds: float, *options: str) -> float:
    """Give the most calls a second that were answered, whatever came."""
    best, rate = 0.0, 100.0
    while True:
        seen = load(gateway, rate, seconds, *options)
        best = max(best, seen.goodput)
        if seen.goodput < 0.8 * rate:
            return best
        rate *= 1.5


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_flood_leaves_the_gateway_working(tmp_path: Path, secrets: Secrets) -> None:
    """The measurement in small, without a clock in what it asserts: machines that run tests are not alone."""
    with loaded_gateway(tmp_path / "run", secrets) as gateway:
        flood = load(gateway, 4_000, 3, warm_up=1)
        assert flood.accepted
        assert flood.refused
        assert flood.without_retry_after == 0
        answer = gateway.eventually(lambda: gateway.chat("up/steady").status == 200, "an answer after it")
        assert answer
        gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")


@pytest.mark.proofs
@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [(), ("--stream",)], ids=["whole", "streams"])
def test_f18_goodput_under_overload(
    tmp_path: Path, secrets: Secrets, note: Note, options: tuple[str, ...]
) -> None:
    kind = "streams of 60 events" if options else "whole answers"
    with loaded_gateway(tmp_path / "run", secrets) as gateway:
        load(gateway, 50, 1, *options)
        peak = find_peak(gateway, 4, *options)
        unloaded = load(gateway, peak / 10, 5, *options)
        note(
            "F18",
            f"{kind}: peak, and p99 to the first byte unloaded",
            "-",
            f"{peak:.0f}/s, {p99(unloaded.accepted):.0f} ms",
        )
        for times in (3, 10):
            before = gateway.resident_bytes()
            seen = load(gateway, peak * times, 8, *options)
            grown = (gateway.resident_bytes() - before) >> 20
            after = load(gateway, peak / 2, 2, *options, warm_up=2.0)
            measured = (
                f"{seen.goodput / peak:.0%}; accepted p99 {p99(seen.accepted):.0f} ms; refused p99 "
                f"{p99(seen.refused):.0f} ms, {len(seen.refused) / seen.seconds:,.0f}/s; {grown:+} MiB; "
                f"2 s after: {len(after.refused)} refused; generator {seen.late:.0f} ms late, {seen.unsent} unsent"
            )
            aim = "≥ 90 %; ≤ 2x + 50 ms; ≤ 50 ms; flat; 0"
            note("F18", f"{kind}: goodput at {times}x", aim, measured)
            assert seen.without_retry_after == 0
            assert seen.accepted


@pytest.mark.proofs
@pytest.mark.timeout(120)
def test_f19_what_a_refusal_costs(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    """Processor time, since what else runs on the machine leaves that as it is."""
    with loaded_gateway(tmp_path / "run", secrets) as gateway:
        load(gateway, 50, 1)
        accepted = processor_time_per_call(gateway, rate=100, refused=False)
    full = {"SWITCHGEAR_SERVER__MAX_INFLIGHT": "1", "SWITCHGEAR_SERVER__OVERLOAD__MAX_LAG": "1m"}
    with start_gateway(tmp_path / "full", secrets, config_for({"echo": {}}, {}), env=full) as gateway:
        body = {"model": "echo/any", "messages": [{"role": "user", "content": "x"}], "echo": {"delay": 60}}
        with gateway.client() as client:
            client.post("/v1/chat/completions", body, KEY)
            gateway.eventually(lambda: gateway.chat("echo/any").status == 503, "the place to be taken")
            refused = processor_time_per_call(gateway, rate=2_000, refused=True)
    what = "processor time of a refusal, and of a forwarded call"
    note(
        "F19",
        what,
        "8,000/s: 125 µs",
        f"{refused * 1e6:.0f} µs ({1 / refused:,.0f}/s on one core), {accepted * 1e6:.0f} µs",
    )
    assert refused < accepted / 4


def processor_time_per_call(gateway: Gateway, rate: float, *, refused: bool) -> float:
    """Give seconds, the median of some runs."""
    found = []
    for _ in range(3):
        before = processor_time(gateway.serving_pid)
        seen = load(gateway, rate, 3, warm_up=0)
        answers = len(seen.refused if refused else seen.accepted)
        found.append((processor_time(gateway.serving_pid) - before) / answers)
        time.sleep(0.2)
    return statistics.median(found)


def processor_time(pid: int) -> float:
    """Give the seconds that a process has had of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
