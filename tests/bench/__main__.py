"""`make bench`: measure, and write a report with charts to dist/bench."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import rounds
from tests.bench.contenders import BENCH, PEERS_FOLDER, PORTKEY, missing, place_in
from tests.bench.lives import LIVES
from tests.bench.loads import WRK
from tests.bench.processes import MEASURED_CORE, OTHERS_CORE, ROOT
from tests.bench.report import render
from tests.bench.scenarios import SCENARIOS

OUTPUT = ROOT / "dist" / "bench"
NAMES = (*SCENARIOS, *LIVES)
ALWAYS_MISSING = {
    "scaling over more than two cores": "the workers share two cores with the upstream, the generator and Valkey",
    "a network": "all goes over loopback, without TLS",
    "peers with a database, limits or budgets": "they stand here with what they need to forward, and no more",
}


def measure(names: Sequence[str], pace: rounds.Pace, folder: Path) -> dict[str, Any]:
    """Measure some of the scenarios, and write down after each what there is."""
    began, load = time.monotonic(), os.getloadavg()
    unchosen = ", ".join(name for name in NAMES if name not in names)
    absent = {"not chosen (ONLY)": unchosen} if unchosen else {}
    results: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    for name in names:
        say(name)
        try:
            results[name] = asdict(measure_one(name, pace))
        except (RuntimeError, subprocess.SubprocessError) as error:
            say(f"  {error}")
            absent[name] = f"it failed: {str(error).splitlines()[0]}"
        measured = {
            "surroundings": surroundings(pace, load, time.monotonic() - began),
            "results": results,
            "not measured": {**absent, **in_part(results), **ALWAYS_MISSING},
        }
        (folder / "results.json").write_text(json.dumps(measured, indent=1))
        (folder / "report.md").write_text(render(measured))
    return measured


def measure_one(name: str, pace: rounds.Pace) -> rounds.Result:
    with tempfile.TemporaryDirectory(prefix="switchgear-bench-") as scratch, place_in(Path(scratch)) as place:
        if name in LIVES:
            return LIVES[name](place, pace, say)
        return rounds.run(SCENARIOS[name], place, pace, say)


def in_part(results: dict[str, Any]) -> dict[str, str]:
    """Give who was missing from scenarios, and why."""
    return {name: why for result in results.values() for name, why in result["missing"].items()}


def surroundings(pace: rounds.Pace, load: tuple[float, float, float], seconds: float) -> dict[str, str]:
    """Say what was measured where, and how."""
    return {
        "Date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Machine": f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.release()}",
        "Cores": f"who is measured on {MEASURED_CORE}; upstream and generator on {OTHERS_CORE}",
        "Load average before and after": " → ".join(
            ", ".join(f"{each:.1f}" for each in at) for at in (load, os.getloadavg())
        ),
        "Versions": f"Python {platform.python_version()}; {_versions()}",
        "Configuration": "one key, SQLite, memory state, log at info; server.overload.max_lag of 1m",
        "Generator": "wrk, and our own for first bytes and events" if WRK else "our own (wrk is not installed)",
        "Rounds": f"{pace.rounds} of {pace.seconds} s a lane, in turn; medians; {seconds:.0f} s in all",
    }  # fmt: skip


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()
    )


def _versions() -> str:
    commit = _said(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    listing = "import importlib.metadata as m; print(*[n + ' ' + m.version(n) for n in {!r}], sep=', ')"
    floor = listing.format(("uvicorn", "httpx2", "httpx-aiohttp", "aiohttp"))
    said = [f"switchgear {commit}", _said([str(BENCH / "bin" / "python"), "-c", floor])]
    if "LiteLLM" not in missing():
        said.append(_said([str(PEERS_FOLDER / "bin" / "python"), "-c", listing.format(("litellm",))]))
    if "Portkey" not in missing():
        said.append(f"Portkey {json.loads((PORTKEY.parents[1] / 'package.json').read_text())['version']}")
    return "; ".join(said)


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    options = argparse.ArgumentParser(prog="make bench")
    options.add_argument("--pace", choices=rounds.PACES, default="usual")
    options.add_argument("--only", default="", help="names or beginnings of names, with commas between them")
    options.add_argument("--output", type=Path, default=OUTPUT)
    given = options.parse_args()
    beginnings = tuple(given.only.split(",")) if given.only else ("",)
    names = [name for name in NAMES if name.startswith(beginnings)]
    if not names:
        options.error(f"nothing is called {given.only}; there are {', '.join(NAMES)}")
    # What was started is stopped, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    given.output.mkdir(parents=True, exist_ok=True)
    measured = measure(names, rounds.PACES[given.pace], given.output)
    file = given.output / "results.json"
    subprocess.run(
        [str(BENCH / "bin" / "python"), "-m", "tests.bench.charts", str(file)], cwd=ROOT, check=True
    )
    print(f"\n{render(measured)}\nWritten to {given.output}")
    if failed := sorted(set(names) - measured["results"].keys()):
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
