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

TIMEOUTS = {"connect": "1s", "first_event": "600ms", "idle": "600ms", "response": "600ms"}
PAIRS = 100
"""How many models with a fallback one gateway has."""
LONERS = 6
"""How many providers of each dialect there are for tests after which nobody asks them again."""
FEW = 10
"""How many with a hedge, and how many whose calls are shared."""
HEDGED_AFTER = "50ms"

KINDS: dict[str, dict[str, Any]] = {
    "exact": {"exact": True},
    "plain": {},
    "ant": {"dialect": "anthropic"},
    # The one by its models' names, the other wholly.
    "resp": {"dialects": {"resp-*": "responses"}},
    "pplx": {"dialect": "perplexity"},
    "gem": {"dialect": "gemini"},
    "ver": {"dialect": "vertex", "options": {"project": "acme"}},
    "bed": {"dialect": "bedrock"},
    "azr": {"dialect": "azure", "options": {"api_version": "2024-10-21"}},
    "bbx": {"dialect": "blackbox"},
    "mis": {"dialect": "mistral"},
    "opr": {"dialect": "openrouter"},
    "core": {"exact": True, "pool": {"transport": "httpx2"}},
    "paira": {"exact": True},
    "pairb": {"exact": True},
    "fastone": {"exact": True},
    "rescuer": {"exact": True},
    "keeper": {"exact": True},
    "closer": {"exact": True},
    "roomy": {"exact": True, "timeouts": {"response": "20s", "first_event": "20s"}},
    # Nobody listens on the discard port of a test machine's loopback.
    "refused": {"base_url": "http://127.0.0.1:9/v1"},
    **{f"lone{number}": {"exact": True} for number in range(LONERS)},
    **{f"loneant{number}": {"dialect": "anthropic"} for number in range(LONERS)},
}
"""The providers of the common gateway. A slot is a model of one of them."""


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
        self._numbers = itertools.count()
        self._pairs = iter(range(PAIRS))
        self._loners = {"lone": iter(range(LONERS)), "loneant": iter(range(LONERS))}
        self._hedged = iter(range(FEW))
        self._shared = iter(range(FEW))

    def exact(self) -> Slot:
        """A model of a provider that speaks clean OpenAI, passed through."""
        return self._slot("exact")

    def plain(self) -> Slot:
        """A model of a provider that speaks OpenAI, read and rewritten."""
        return self._slot("plain")

    def anthropic(self) -> Slot:
        """A model of a provider that speaks Anthropic's dialect."""
        return self._slot("ant")

    def responses(self) -> Slot:
        """A model that speaks the Responses dialect, of a provider that speaks OpenAI's else."""
        return self._slot("resp")

    def gemini(self) -> Slot:
        """A model of a provider that speaks Gemini's dialect."""
        return self._slot("gem")

    def vertex(self, model: str) -> Slot:
        """A model of a provider that speaks Vertex's dialect; the name says which of its dialects."""
        return self.upstream.slot(f"{model}-{next(self._numbers)}")

    def bedrock(self) -> Slot:
        """A model of a provider that speaks Converse."""
        return self._slot("bed")

    def azure(self) -> Slot:
        """A deployment at Azure."""
        return self._slot("azr")

    def blackbox(self) -> Slot:
        """A model of a provider that makes pictures and videos by way of chat."""
        return self._slot("bbx")

    def mistral(self) -> Slot:
        """A model of a provider that speaks as Mistral does."""
        return self._slot("mis")

    def openrouter(self) -> Slot:
        """A model of a provider that has pictures, videos and sound as OpenRouter has."""
        return self._slot("opr")

    def core(self) -> Slot:
        """A model of a provider that is as `exact`, over httpx2's own transport."""
        return self._slot("core")

    def pair(self) -> Pair:
        """A model with a fallback."""
        number = next(self._pairs)
        return Pair(
            f"pair-{number}", *(self.upstream.slot(f"{kind}-{number}") for kind in ("paira", "pairb"))
        )

    def lone(self, kind: str = "lone") -> Slot:
        """A model of a provider that no other test has: its credential may be refused."""
        return self._slot(f"{kind}{next(self._loners[kind])}")

    def lone_pair(self) -> Pair:
        """A model with a fallback whose first provider no other test has."""
        number = next(self._loners["lone"])
        return Pair(
            f"lone-{number}",
            self.upstream.slot(f"lone{number}-pair"),
            self.upstream.slot(f"pairb-lone{number}"),
        )

    def hedged(self) -> Pair:
        """A model whose second target is tried when the first is silent for `HEDGED_AFTER`."""
        number = next(self._hedged)
        slots = (self.upstream.slot(f"{kind}-hedged-{number}") for kind in ("paira", "pairb"))
        return Pair(f"hedged-{number}", *slots)

    def shared(self) -> tuple[str, Slot]:
        """A model whose equal calls share one answer, and what is asked for it."""
        number = next(self._shared)
        return f"shared-{number}", self.upstream.slot(f"roomy-shared-{number}")

    def _slot(self, kind: str) -> Slot:
        return self.upstream.slot(f"{kind}-{next(self._numbers)}")


def provider_of(slot: Slot) -> str:
    """Give the provider whose model a slot is: the part of its name before the first dash."""
    return slot.name.partition("-")[0]


def model_of(slot: Slot) -> str:
    """Give the name under which clients ask for a slot."""
    return f"{provider_of(slot)}/{slot.name}"


def credential_of(name: str) -> str:
    """Give the credential of a provider."""
    return f"cred-canary-{name}-0123456789"


ONE_TRY: dict[str, Any] = {
    "retry": {"attempts": 1},
    "breaker": {"consecutive": 1_000_000, "min_calls": 1_000_000},
}
"""What tests of a single try need: no other after it, and no memory of those before."""


def provider(upstream: Upstream, name: str, **settings: Any) -> dict[str, Any]:
    """Give the configuration of a provider that the upstream plays."""
    paths_of_its_own = settings.get("dialect") in {"anthropic", "azure", "bedrock"}
    return {
        "base_url": upstream.url + ("" if paths_of_its_own else "/v1"),
        "keys": [credential_of(name)],
        "allow_private": True,
        "timeouts": TIMEOUTS,
        **ONE_TRY,
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


def rig_config(upstream: Upstream, **sections: Any) -> dict[str, Any]:
    """Give the common configuration."""
    providers = {name: provider(upstream, name, **settings) for name, settings in KINDS.items()}
    pairs = {f"pair-{n}": [f"paira/paira-{n}", f"pairb/pairb-{n}"] for n in range(PAIRS)}
    loners = {f"lone-{n}": [f"lone{n}/lone{n}-pair", f"pairb/pairb-lone{n}"] for n in range(LONERS)}
    hedge = {"after": HEDGED_AFTER, "cap": 1}
    hedged = {
        f"hedged-{n}": {"targets": [f"paira/paira-hedged-{n}", f"pairb/pairb-hedged-{n}"], "hedge": hedge}
        for n in range(FEW)
    }
    shared = {
        f"shared-{n}": {"targets": [f"roomy/roomy-shared-{n}"], "single_flight": True} for n in range(FEW)
    }
    models = {
        "fast": ["fastone/fastone"],
        "refused-then-ok": ["refused/any", "rescuer/rescuer"],
        **pairs,
        **loners,
        **hedged,
        **shared,
    }
    return config_for({**providers, "echo": dict(ONE_TRY)}, models, **sections)


@contextmanager
def start_rig(directory: Path, secrets: Secrets, **sections: Any) -> Iterator[Rig]:
    """Start both."""
    with Upstream() as upstream, Gateway(rig_config(upstream, **sections), directory, secrets) as gateway:
        yield Rig(gateway, upstream)


@contextmanager
def start_gateway(
    directory: Path, secrets: Secrets, config: Mapping[str, Any], **options: Any
) -> Iterator[Gateway]:
    """Start a gateway with a configuration of the test's own."""
    directory.mkdir(parents=True, exist_ok=True)
    with Gateway(config, directory, secrets, **options) as gateway:
        yield gateway
