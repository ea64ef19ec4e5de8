"""The load: wrk where it is installed, else our own generator, which also measures what wrk cannot."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.contenders import KEY, Running
from tests.bench.processes import OTHERS_CORE, ROOT, bound_to

WRK = shutil.which("wrk")
SCRIPT = Path(__file__).with_name("calls.lua")
Figures = dict[str, float]
SETTLING = 1
"""Seconds that endless streams get to begin, before what is seen counts."""


@dataclass(frozen=True)
class Load:
    """What one lane is sent. With a `rate` it is steady, else as much as is answered."""

    model: str = "whole"
    connections: int = 32
    stream: bool = False
    prompt: int = 900
    """Bytes."""
    keys: tuple[str, ...] = (KEY,)
    names: tuple[str, ...] = ()
    """What is asked for in turn, as the gateway calls it, in place of `model`."""
    refused: bool = False
    """Whether it is refusals that are measured."""
    timed: bool = False
    """Whether first bytes and events are timed, by our own generator."""
    rate: int = 0
    """Calls a second."""
    endless: bool = False
    """Whether streams never end, so that events are counted in place of calls."""


def calls_of(load: Load, contender: Running) -> dict[str, Any]:
    """Give the calls in the form that both generators read."""
    messages = [{"role": "user", "content": ("hello " * (load.prompt // 6 + 1))[: load.prompt]}]
    body = {"model": "MODEL", **({"stream": True} if load.stream else {}), "messages": messages}
    return {
        "port": contender.server.port,
        "path": "/v1/chat/completions",
        "headers": {"content-type": "application/json", **contender.headers},
        "keys": list(load.keys),
        "models": list(load.names) or [load.model if "/" in load.model else contender.prefix + load.model],
        "body": json.dumps(body, separators=(",", ":")),
    }


def apply(load: Load, contender: Running, seconds: int, folder: Path) -> Figures:
    """Load for so long, and give what was seen, with the contender's processor time in µs a call."""
    command = _command(load, contender, seconds, folder)
    before = contender.server.cpu()
    run = subprocess.run(
        bound_to({OTHERS_CORE}, command),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 120,
    )
    used = contender.server.cpu() - before
    seen = json.loads(run.stdout.splitlines()[-1])
    told = _steady(seen, seconds) if load.rate else seen
    calls = told["events"] if load.endless else told["calls"]
    expected = told["refused"] if load.refused else calls - told["refused"]
    errors = calls - expected + told["broken"]
    if load.endless:
        used *= seconds / (seconds + SETTLING)
    times = {name: value for name, value in told.items() if name.endswith(("_p50", "_p99"))}
    return {
        "rate": expected / told["seconds"],
        "cpu": used / expected * 1e6 if expected else 0.0,
        "errors": errors,
        "calls": calls,
        **times,
    }


def _command(load: Load, contender: Running, seconds: int, folder: Path) -> list[str | Path]:
    calls = calls_of(load, contender)
    file = folder / "calls.json"
    file.write_text(json.dumps(calls))
    if load.rate:
        words = ["--port", contender.server.port, "--rate", load.rate, "--seconds", seconds, "--warm-up", 0]
        words += ["--key", load.keys[0], "--model", calls["models"][0]]
        return [sys.executable, "-m", "tests.load.open_loop", *map(str, words)]
    if WRK is None or load.timed:
        words = [file, "--connections", load.connections, "--seconds", seconds]
        words += ["--warm-up", SETTLING] if load.endless else []
        return [sys.executable, "-m", "tests.load.closed_loop", *map(str, words)]
    lua = folder / "calls.lua"
    lua.write_text(f"return {_lua(calls)}")
    options = ["-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "30s", "-s", SCRIPT]
    return [WRK, *options, f"http://127.0.0.1:{contender.server.port}", "--", lua]


def _steady(seen: Mapping[str, Any], seconds: int) -> dict[str, float]:
    """Give what `open_loop` says in the words of the other generators."""
    lost = seen["failed"] + seen["unanswered"] + seen["unsent"]
    answered = len(seen["accepted"]) + len(seen["refused"])
    return {"calls": answered, "refused": len(seen["refused"]), "broken": lost, "seconds": seconds}


def _lua(value: Any) -> str:
    """Write JSON's values as Lua's."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{_lua(name)}]={_lua(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(_lua, value)) + "}"
    return json.dumps(value)
