"""What the running gateway thinks of its providers and knows of their models, asked over its API."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from app.cli.healthcheck import Address, admin_address_of, ask
from app.config.models import Config
from providers.types import Json

WITHIN = 2.0
"""Seconds for each step of asking."""
PATH = "/admin/v1/providers"
UNSHOWN = "states are not shown"
T = TypeVar("T")
_STATES = ("ready", "parked", "quarantined")


@dataclass(frozen=True, slots=True)
class Live:
    """How a provider stands in the running gateway."""

    breaker: str
    """`closed`, `open` or `half_open`."""
    models_left_alone: int
    """How many of its models have a breaker that is not closed."""
    credentials: Mapping[str, int]
    """How many are `ready`, `parked`, `quarantined`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of asking."""

    providers: Mapping[str, Live]
    problem: str = ""
    """Why nothing is known, for people."""


def ask_gateway(config: Config) -> Found:
    """Ask the gateway of a configuration how its providers stand. Total."""
    states, problem = fetch(config, admin_address_of(config), PATH, _read)
    return Found(states or {}, f"{UNSHOWN}: {problem}" if problem else "")


def fetch(config: Config, address: Address, path: str, read: Callable[[Json], T]) -> tuple[T | None, str]:
    """Get a page of the gateway of a configuration: what `read` makes of it, or why there is none. Total."""
    key = config.auth.master_key
    if not key:
        return None, "asking a running gateway takes its master key (SWITCHGEAR_MASTER_KEY)"
    health = ask(address)
    place = f"{address.host}:{address.port}"
    if not health.answers:
        return None, f"no gateway answers at {place}"
    if not health.ours:
        # Whoever else listens there is not to see the master key.
        return None, f"what answers at {place} is no gateway that is ready"
    connection = http.client.HTTPConnection(address.host, address.port, timeout=WITHIN)
    try:
        headers = {"Host": address.name, "Authorization": f"Bearer {key.reveal()}"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        found = read(json.loads(body)) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError, KeyError, TypeError):
        return None, f"the gateway at {place} did not answer in time, or not as one does"
    finally:
        connection.close()
    return found, "" if found is not None else f"the gateway at {place} does not take this master key"


def _read(said: Json) -> Mapping[str, Live]:
    whole = {each["provider"]: each["state"] for each in said["data"] if each["model"] is None}
    models = Counter(each["provider"] for each in said["data"] if each["model"] and each["state"] != "closed")
    credentials = Counter((each["provider"], each["state"]) for each in said["credentials"])
    return {
        name: Live(
            state,
            models[name],
            {state: credentials[name, state] for state in _STATES if credentials[name, state]},
        )
        for name, state in whole.items()
    }
