"""Who is measured: the gateway in several configurations, the floor, and peers where they are installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tests.bench.processes import CORES, MEASURED_CORE, ROOT, Server, running, upstream
from tests.harness.gateway import free_port
from tests.harness.valkey import start_valkey

KEY = "sk-bench-0123456789abcdef"
WRONG_KEY = "sk-bench-nobody-0123456789"
SPENT_KEY = "sk-bench-spent-0123456789"
CREDENTIAL = "cred-0123456789abcdef"
MANY_KEYS = tuple(f"sk-bench-{number:05}-0123456789abcdef" for number in range(10_000))
MANY_PROVIDERS = tuple(f"p{number}" for number in range(200))
MANY_MODELS = tuple(f"m{number}" for number in range(1_000))
MODELS = ("whole", "piece", "events")
BENCH = Path(os.environ.get("BENCH_VENV", ROOT / ".venv" / "bench"))
PEERS_FOLDER = Path(os.environ.get("PEERS_VENV", ROOT / ".venv" / "peers"))
PORTKEY = PEERS_FOLDER / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


@dataclass(frozen=True)
class Running:
    """A contender that can be called."""

    server: Server
    prefix: str = ""
    """Before the upstream's name of a model."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where contenders run, and what stands behind them."""

    folder: Path
    upstream: Server


Start = Callable[[Place], AbstractContextManager[Running]]
Changed = Callable[[dict[str, Any], Place], None]


def configuration(place: Place) -> dict[str, Any]:
    """Give the gateway's: one key, the ledger, and the upstream in two dialects."""
    base_url = f"http://127.0.0.1:{place.upstream.port}/v1"
    up = {"base_url": base_url, "keys": [CREDENTIAL], "allow_private": True, "exact": True}
    claude = {"base_url": base_url, "keys": [CREDENTIAL], "allow_private": True, "dialect": "anthropic"}
    return {
        "auth": {"keys": [{"name": "bench", "key": KEY}], "max_failures": 1_000_000_000},
        # A crowd of connections that ask again at once is to be served here, not to be turned away.
        "server": {"drain_notice": "0s", "drain": "1s", "overload": {"max_lag": "1m"}},
        "providers": {"up": up, "claude": {**claude, "max_tokens": 4096}},
    }


def governed(config: dict[str, Any], place: Place) -> None:
    """Limits on key, plan and provider, and a budget with a price."""
    most = 1_000_000_000
    config["plans"] = {
        "large": {
            "limits": {"rpm": most, "tpm": most, "concurrency": 100_000},
            "budget": {"amount": "1000000.00", "per": "day"},
        }
    }
    config["auth"]["keys"][0] |= {"plan": "large", "limits": {"rpm": most, "tpm": most}}
    config["providers"]["up"] |= {
        "limits": {"rpm": most},
        "prices": {"*": {"input_mtok": "1.00", "output_mtok": "2.00"}},
    }


def many_keys(config: dict[str, Any], place: Place) -> None:
    config["auth"]["keys"] += [
        {"name": f"k{number}", "key": key, "limits": {"rpm": 1_000_000}}
        for number, key in enumerate(MANY_KEYS)
    ]


def many_providers(config: dict[str, Any], place: Place) -> None:
    up = config["providers"]["up"]
    config["providers"] |= {name: dict(up) for name in MANY_PROVIDERS}


def many_models(config: dict[str, Any], place: Place) -> None:
    config["models"] = {name: ["up/whole"] for name in MANY_MODELS}


def limited(config: dict[str, Any], place: Place) -> None:
    config["auth"]["keys"].append({"name": "spent", "key": SPENT_KEY, "limits": {"rpm": 1}})


def full(config: dict[str, Any], place: Place) -> None:
    config["server"]["max_inflight"] = 1


def unchanged(config: dict[str, Any], place: Place) -> None:
    pass


def gateway(change: Changed = unchanged) -> Start:
    """Start the gateway on its core, with memory state and SQLite."""

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        config = configuration(place)
        change(config, place)
        with switchgear(config, place.folder, {MEASURED_CORE}) as running_one:
            yield running_one

    return start


@contextmanager
def switchgear(config: dict[str, Any], folder: Path, cores: set[int]) -> Iterator[Running]:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "app.cli", "run", "--config", file, "--port", str(port)]
    with running(command, port, folder, cores=cores, ready="/health/ready") as server:
        yield Running(server, "up/", {"authorization": "Bearer KEY"})


def workers(number: int) -> Start:
    """Start the gateway on all cores, with the Valkey that more than one worker needs."""

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        with start_valkey(place.folder / "valkey") as valkey:
            config = configuration(place)
            governed(config, place)
            config |= {"state": valkey.url}
            config["server"]["workers"] = number
            with switchgear(config, place.folder, set(CORES)) as running_one:
                yield running_one

    return start


def asgi(app: str) -> Start:
    """Start an app of `floor.py` under uvicorn, as bare as the gateway's own."""

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        port = free_port()
        command = [BENCH / "bin" / "python", "-m", "uvicorn", f"tests.bench.floor:{app}"]
        command += ["--port", str(port), "--log-level", "critical", "--no-access-log", "--lifespan", "off"]
        env = {"FLOOR_UPSTREAM": f"http://127.0.0.1:{place.upstream.port}/v1/chat/completions"}
        # It forwards a POST whatever comes; a port that answers at all is ready.
        with running(command, port, place.folder, cores={MEASURED_CORE}, env=env, ready="/") as server:
            yield Running(server, "", {"authorization": "Bearer KEY"})

    return start


@contextmanager
def direct(place: Place) -> Iterator[Running]:
    """Nobody stands between."""
    yield Running(place.upstream, "", {"authorization": "Bearer KEY"})


@contextmanager
def litellm(place: Place) -> Iterator[Running]:
    """The LiteLLM proxy: one worker, its master key, no database."""
    port = free_port()
    place.folder.mkdir(parents=True, exist_ok=True)
    parameters = {"api_base": f"http://127.0.0.1:{place.upstream.port}/v1", "api_key": CREDENTIAL}
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", **parameters}} for name in MODELS
    ]
    file = place.folder / "config.yaml"
    file.write_text(yaml.safe_dump({"model_list": models, "general_settings": {"master_key": KEY}}))
    command = [PEERS_FOLDER / "bin" / "litellm", "--config", file, "--host", "127.0.0.1", "--port", str(port)]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "PYTHONPATH": ""}
    with running(
        command, port, place.folder, cores={MEASURED_CORE}, env=env, ready="/health/liveliness"
    ) as server:
        yield Running(server, "", {"authorization": "Bearer KEY"})


@contextmanager
def portkey(place: Place) -> Iterator[Running]:
    """The Portkey gateway, which asks for no key of its own."""
    port = free_port()
    command = [shutil.which("node") or "node", PORTKEY, f"--port={port}", "--headless"]
    with running(
        command, port, place.folder, cores={MEASURED_CORE}, env={"NODE_ENV": "production"}
    ) as server:
        headers = {
            "authorization": "Bearer KEY",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{place.upstream.port}/v1",
        }
        yield Running(server, "", headers)


CONTENDERS: Mapping[str, Start] = {
    "direct": direct,
    "floor": asgi("forward"),
    "bare 401": asgi("refuse"),
    "gateway": gateway(),
    "governed": gateway(governed),
    "10,000 keys": gateway(many_keys),
    "200 providers": gateway(many_providers),
    "1,000 models": gateway(many_models),
    "limited": gateway(limited),
    "full": gateway(full),
    "one worker": workers(1),
    "two workers": workers(2),
    "LiteLLM": litellm,
    "Portkey": portkey,
}
PEERS = frozenset({"LiteLLM", "Portkey"})


def missing() -> dict[str, str]:
    """Give who cannot be measured here, and why."""
    found = {}
    if not (PEERS_FOLDER / "bin" / "litellm").exists():
        found["LiteLLM"] = "not installed: make bench-peers"
    if not PORTKEY.exists():
        found["Portkey"] = "not installed: make bench-peers, where npm is there"
    return found


@contextmanager
def place_in(folder: Path) -> Iterator[Place]:
    with upstream() as server:
        yield Place(folder, server)


def within(place: Place, name: str) -> Place:
    return replace(place, folder=place.folder / name.replace(" ", "-").replace(",", ""))
