"""A gateway in this process: everything is the real thing but the wire, the client, the clock and the spool."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import structlog

from app.auth.directory import Directory
from app.auth.principal import Principal
from app.config.loader import load
from app.config.resilience import RetrySettings
from app.errors import GatewayError
from app.gateway.answering import Line
from app.gateway.balancing import Balancing, watched
from app.gateway.client_limits import ClientLimits
from app.gateway.credential_gate import CredentialGate
from app.gateway.credential_pool import Credentials
from app.gateway.flights import Flights
from app.gateway.forecast import Forecasts
from app.gateway.gateway import Gateway
from app.gateway.guard import Gate, Guard
from app.gateway.hedge import Hedges
from app.gateway.inflight import InFlight
from app.gateway.jobs import Jobs
from app.gateway.loads import LoadGate, Loads
from app.gateway.notices import Notices
from app.gateway.pursuit import Patience
from app.gateway.record import CallLog
from app.gateway.retry import RetryBudget, attempts_of
from app.gateway.router import Router
from app.gateway.rules import BudgetRules, LimitRules
from app.gateway.spending import ClientBudgets, Prices, ProviderBudgets, Purse
from app.gateway.target_limits import TargetLimits
from app.gateway.through_httpx import HttpxCarrier
from app.gateway.upstream import Upstream
from app.limits.local import LocalLimiter
from app.limits.memory import MemoryLimits
from app.telemetry.clock import Clock
from app.telemetry.metrics import Metrics
from app.telemetry.record import CallRecord, Intent
from app.telemetry.shortcuts import Shortcuts
from app.usage.budget_book import BudgetBook
from app.usage.ledger import Ledger
from app.usage.local_budgets import LocalBudgets
from app.usage.price_book import PriceBook
from providers.types import Call, Operation

NOON = 1_800_014_400.0
"""A noon in UTC."""


class Pieces(httpx2.AsyncByteStream):
    """A body that comes in pieces; an exception among them breaks it, None is a pause."""

    def __init__(self, pieces: Sequence[bytes | Exception | None]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(0)
            if isinstance(piece, Exception):
                raise piece
            if piece is not None:
                yield piece


Said = tuple[int, str, Sequence[bytes | Exception | None] | httpx2.AsyncByteStream]
"""Status, content type, and the body or its pieces."""


def whole(document: Any, status: int = 200) -> Said:
    return status, "application/json", [json.dumps(document).encode()]


def chat_answer(output: int, prompt: int = 10, **usage: Any) -> dict[str, Any]:
    """Give a chat answer with these counts."""
    message = {"role": "assistant", "content": "word"}
    counts = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output, **usage}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": counts,
    }


def event(delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> bytes:
    """Give one event of a chat stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return b"data: " + json.dumps({**chunk, "usage": usage}).encode() + b"\n\n"


class Wire(httpx2.AsyncBaseTransport):
    """Carries requests to a function of their bodies."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        """The credentials that came with them."""
        self.headers: dict[str, str] = {}
        """Further headers of the answers."""
        self.answer: Callable[[dict[str, Any]], Said | Exception | Awaitable[Said]] = lambda _: whole(
            chat_answer(5)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = await request.aread()
        # Of a form nothing is asked here.
        body = json.loads(sent) if sent.startswith(b"{") else {}
        self.bodies.append(body)
        self.keys.append(request.headers.get("authorization", "").removeprefix("Bearer ") or None)
        await asyncio.sleep(0)
        said = self.answer(body)
        if isinstance(said, Exception):
            raise said
        status, kind, pieces = said if isinstance(said, tuple) else await said
        stream = pieces if isinstance(pieces, httpx2.AsyncByteStream) else Pieces(pieces)
        headers = {"content-type": kind, **self.headers}
        return httpx2.Response(status, headers=headers, stream=stream, request=request)


@dataclass
class Listener:
    """A client that takes everything, or leaves when it is told to."""

    received: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    has_content: bool = False
    committed: bool = False
    left: bool = False

    async def reply(self, body: bytes, headers: Any, _media: str = "") -> None:
        await asyncio.sleep(0)
        self.committed, self.received, self.headers = True, body, dict(headers)

    async def write(self, frames: bytes, headers: Any) -> None:
        self.has_content = True
        if not self.committed:
            self.committed, self.headers = True, dict(headers)
        self.received += frames
        await asyncio.sleep(0)

    async def end(self, frames: bytes = b"", headers: Any = ()) -> None:
        await (self.write(frames, headers) if frames else asyncio.sleep(0))
        self.received += b"data: [DONE]\n\n"

    @property
    def text(self) -> str:
        """The generated text in the events that were received."""
        lines = [line[6:] for line in self.received.decode().split("\n\n") if line.startswith("data: {")]
        choices = [choice for line in lines for choice in json.loads(line)["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


class Memory:
    """Stands where the spool does."""

    def __init__(self) -> None:
        self.entries: list[CallRecord | Intent] = []

    def append(self, entry: CallRecord | Intent) -> None:
        self.entries.append(entry)

    @property
    def records(self) -> list[CallRecord]:
        return [entry for entry in self.entries if isinstance(entry, CallRecord)]

    @property
    def intents(self) -> list[Intent]:
        return [entry for entry in self.entries if isinstance(entry, Intent)]


@dataclass
class House:
    """What was built."""

    gateway: Gateway
    wire: Wire
    memory: Memory
    meters: MemoryLimits
    book: BudgetBook
    budget_rules: BudgetRules
    metrics: Metrics
    log: structlog.testing.CapturingLogger
    sent: list[Any]
    keys: dict[str, Principal]
    time: list[float]
    """Wall seconds and monotonic seconds: move them."""
    told: list[CallRecord]
    loads: Loads
    credentials: Credentials

    async def serve(
        self,
        body: dict[str, Any],
        key: str = "ci",
        client: Listener | None = None,
        operation: Operation = Operation.CHAT,
        session: str = "",
        deadline: float = math.inf,
        job: str = "",
    ) -> Listener:
        """Serve one call. Raises what the client is told."""
        listener = client or Listener()
        number = str(len(self.memory.entries) + id(listener))
        principal = self.keys[key]
        log = CallLog(number, number, "POST", "/v1/x", self.clock, self.told.append, operation, self.time[1])
        log.identify(principal)
        asked = Call(operation, body["model"], body, number, session=session, job=job)
        await self.gateway.serve(asked, principal, listener, log, deadline)
        return listener

    async def outcome(self, body: dict[str, Any], key: str = "ci", **options: Any) -> str:
        """Serve one call, and say `ok` or the code of the refusal."""
        try:
            await self.serve(body, key, **options)
        except GatewayError as error:
            return error.code
        return "ok"

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time[0], lambda: self.time[1])

    def spent(self, subject: str) -> int:
        """Sum what the ledger's records charge a subject."""
        return sum(c.nano for record in self.memory.records for c in record.charges if c.subject == subject)

    def reserved(self) -> int:
        """Sum what all budgets hold for calls under way."""
        budgets = self.budget_rules.known(self.keys.values())
        return sum(self.book.standing(budget, self.time[0]).reserved for budget in budgets)


async def nothing_spent(_book: BudgetBook, _budgets: Sequence[Any]) -> None:
    """The ledger is empty."""


@dataclass(frozen=True)
class Sent:
    """Takes notices."""

    notices: list[Any]

    def put(self, notice: Any) -> None:
        self.notices.append(notice)


def build(folder: Path, config: str, *, guards: Sequence[Guard] = (), gates: Sequence[Gate] = ()) -> House:
    """Build a gateway from a configuration; further guards and gates come last. Call it in a running loop."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(config)
    time = [NOON, 1000.0]
    loaded = load([file], {}, {}, clock=lambda: time[1])
    settings = loaded.config
    clock = Clock(lambda: time[0], lambda: time[1])
    chance = random.Random(1)
    wire, memory, metrics, sent = Wire(), Memory(), Metrics("0"), Sent([])
    log = structlog.testing.CapturingLogger()
    once = RetrySettings(attempts=1)
    lines = {
        each.name: Line(
            Upstream(HttpxCarrier(wire), connect=1.0), each.timeouts, Patience(once, RetryBudget())
        )
        for each in loaded.providers
    }
    prices = {
        name: {p: x.stated for p, x in each.prices.items()} for name, each in settings.providers.items()
    }
    rules, limits, meters = BudgetRules(settings), LimitRules(settings), MemoryLimits()
    limiter = LocalLimiter(meters, clock.monotonic)
    book, forecasts = BudgetBook(), Forecasts()
    price_book = Prices(PriceBook(prices), clock)
    notices = Notices(log, metrics, sent, clock.wall)  # type: ignore[arg-type] - it records what a log would get
    purse = Purse(
        LocalBudgets(book, nothing_spent),
        price_book,
        notices,
        clock,
        unknown_price=settings.ledger.unknown_price,
    )
    credentials = Credentials(loaded.providers, lambda: 0.5)
    loads = Loads()
    loads.configure(watched(settings.models.values()))
    balancing = Balancing(loads, clock.monotonic, chance.random, price_book.expected)
    gateway = Gateway(
        router=Router(loaded.providers, settings.models, balancing.of),
        lines=lines,
        guards=[
            InFlight(metrics),
            ClientLimits(limits, limiter, forecasts),
            ClientBudgets(rules, purse),
            *guards,
        ],
        gates=[ProviderBudgets(rules, purse), LoadGate(loads, clock), *gates],
        credentials=CredentialGate(credentials, TargetLimits(limits, limiter), notices, clock),
        forecasts=forecasts,
        prices=price_book,
        ledger=Ledger(memory, lambda: None),  # type: ignore[arg-type] - it has the one method that is used
        hedges=Hedges(settings.hedges, Shortcuts(metrics.registry).count_hedge),
        flights=Flights(settings.single_flight),
        jobs=Jobs(credentials, b"spare"),
        max_attempts=lambda _model, targets: attempts_of(None, targets),
        random=lambda: 0.5,
    )
    directory = Directory(settings)
    known = {key.name: directory.of_key(key) for key in settings.auth.keys}
    keys = {name: principal for name, principal in known.items() if principal}
    return House(
        gateway,
        wire,
        memory,
        meters,
        book,
        rules,
        metrics,
        log,
        sent.notices,
        keys,
        time,
        told=[],
        loads=loads,
        credentials=credentials,
    )


def provider_yaml(name: str, more: str = "", prices: str = 'input_mtok: "1.00", output_mtok: "2.00"') -> str:
    """Give a provider that the wire plays."""
    priced = f', prices: {{"*": {{{prices}}}}}' if prices else ""
    return (
        f"  {name}: {{base_url: http://127.0.0.1:9/v1, keys: [cred-{name}-0123456789], allow_private: true, "
        f"exact: true{priced}{', ' + more if more else ''}}}\n"
    )


def config_yaml(*, key: str = "", providers: str = "", models: str = "m: [up/m]", more: str = "") -> str:
    """Give a configuration with the key `ci`."""
    return (
        "version: 1\n"
        f"auth: {{keys: [{{name: ci, key: sk-test-ci-0123456789abcdef{', ' + key if key else ''}}}]}}\n"
        f"providers:\n{providers or provider_yaml('up')}"
        f"models: {{{models}}}\n{more}"
    )


def chat(prompt: str = "Hello", model: str = "m", **fields: Any) -> dict[str, Any]:
    """Give the body of a chat call."""
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}
