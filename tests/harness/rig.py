"""A gateway in front of a fake upstream, with enough providers that every test has its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.gateway import KEY, LIMITED_KEY, Gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Slot, Upstream

MODEL = "gpt-4.1-nano"
CLAUDE = "claude-haiku-4-5"
TIMEOUTS = {"connect": "1s", "first_event": "600ms", "idle": "600ms", "response": "600ms"}

COUNTS = {"exact": 70, "plain": 20, "ant": 16, "pair": 40}
"""How many slots of each kind one gateway has."""


@dataclass(frozen=True)
class Pair:
    """A public model with two targets, the second being the fallback."""

    model: str
    first: Slot
    second: Slot


class Rig:
    """Hands out slots. No slot is handed out twice, so tests cannot disturb each other."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self._next = {kind: itertools.count() for kind in COUNTS}

    def exact(self) -> Slot:
        """A provider that speaks clean OpenAI, passed through."""
        return self._slot("exact")

    def plain(self) -> Slot:
        """A provider that speaks OpenAI, read and rewritten."""
        return self._slot("plain")

    def anthropic(self) -> Slot:
        """A provider that speaks Anthropic's dialect."""
        return self._slot("ant")

    def pair(self) -> Pair:
        """A model with a fallback."""
        name = self._name("pair")
        return Pair(name, self.upstream.slot(f"{name}-a"), self.upstream.slot(f"{name}-b"))

    def _slot(self, kind: str) -> Slot:
        return self.upstream.slot(self._name(kind))

    def _name(self, kind: str) -> str:
        number = next(self._next[kind])
        assert number < COUNTS[kind], f"no {kind} slot is left: raise COUNTS"
        return f"{kind}{number}"


def model_of(slot: Slot) -> str:
    """Give the name under which clients ask for a slot."""
    return f"{slot.name}/{CLAUDE if slot.name.startswith('ant') else MODEL}"


def provider(upstream: Upstream, name: str, **settings: Any) -> dict[str, Any]:
    """Give the configuration of a provider that a slot plays."""
    anthropic = settings.get("dialect") == "anthropic"
    return {
        "base_url": f"{upstream.url}/{name}" + ("" if anthropic else "/v1"),
        "keys": [f"cred-canary-{name}-0123456789"],
        "allow_private": True,
        "timeouts": TIMEOUTS,
        **settings,
    }


def config_for(providers: Mapping[str, Any], models: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    """Give a whole configuration with two static keys, one of which may use `fast` alone."""
    keys = [{"name": "app", "key": KEY}, {"name": "limited", "key": LIMITED_KEY, "models": ["fast"]}]
    return {
        "version": "1",
        "auth": {"keys": keys},
        "providers": dict(providers),
        "models": dict(models),
        **sections,
    }


def rig_config(upstream: Upstream) -> dict[str, Any]:
    """Give the configuration with all slots."""
    kinds: dict[str, dict[str, Any]] = {
        "exact": {"exact": True},
        "plain": {},
        "ant": {"dialect": "anthropic"},
    }
    named = [(f"{kind}{n}", extra) for kind, extra in kinds.items() for n in range(COUNTS[kind])]
    pairs = [f"pair{n}" for n in range(COUNTS["pair"])]
    named += [(f"{pair}-{side}", {"exact": True}) for pair in pairs for side in "ab"]
    providers = {name: provider(upstream, name, **extra) for name, extra in named}
    models = {pair: [f"{pair}-a/{MODEL}", f"{pair}-b/{MODEL}"] for pair in pairs}
    providers["roomy"] = provider(upstream, "roomy", exact=True, timeouts={"response": "20s", "first_event": "20s"})
    providers["fastone"] = provider(upstream, "fastone", exact=True)
    providers["afterrefused"] = provider(upstream, "afterrefused", exact=True)
    # Nobody listens on the discard port of a test machine's loopback.
    providers["refused"] = {**provider(upstream, "refused"), "base_url": "http://127.0.0.1:9/v1"}
    models |= {"fast": [f"fastone/{MODEL}"], "refused-then-ok": ["refused/model", f"afterrefused/{MODEL}"]}
    return config_for({**providers, "echo": {}}, models)


@contextmanager
def start_rig(directory: Path, secrets: Secrets) -> Iterator[Rig]:
    """Start both."""
    with Upstream() as upstream, Gateway(rig_config(upstream), directory, secrets) as gateway:
        yield Rig(gateway, upstream)


@contextmanager
def start_gateway(directory: Path, secrets: Secrets, config: Mapping[str, Any], **options: Any) -> Iterator[Gateway]:
    """Start a gateway with a configuration of the test's own."""
    directory.mkdir(parents=True, exist_ok=True)
    with Gateway(config, directory, secrets, **options) as gateway:
        yield gateway
