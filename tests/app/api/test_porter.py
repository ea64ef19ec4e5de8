"""What is refused at the door is told and answered as anywhere else, and asked about in as few steps as can be."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any

import structlog
from structlog.testing import capture_logs

from app.api.asgi import Scope, error_messages
from app.api.callers import Callers
from app.api.calls import CallRooms
from app.api.endpoints import CallEndpoints
from app.api.porter import UNASKED, Porter
from app.api.snapshot import Current
from app.api.turned_away import Forms, TurnedAway
from app.auth.authenticator import Authenticator
from app.auth.failures import Failures
from app.auth.keyring import KeyRing
from app.auth.principal import Principal
from app.auth.tokens import Tokens
from app.config.models import Config
from app.errors import BudgetExceeded, GatewayError, LimitReached, Unauthorized
from app.gateway.entrance import Entrance, Place, capacity_of
from app.gateway.haste import TOLD_AGAIN, HastyLimits
from app.gateway.lobby import Lobby
from app.gateway.rules import LimitRules
from app.limits.ask import Amounts
from app.limits.limiter import Answer
from app.limits.local import LocalLimiter
from app.limits.memory import MemoryLimits
from app.telemetry.clock import Clock
from app.telemetry.metrics import Metrics
from app.telemetry.record import CallRecord
from app.telemetry.refusals import LOGGED, Refusals
from providers.types import Secret

CHAT = "/v1/chat/completions"
KEY = "sk-test-ci-0123456789abcdef"
FAILURES = 20
CI = Principal("ci", team="search")
LIMITS: dict[str, Any] = {"rpm": 2, "tpm": 1000}


class House:
    """A porter before a configuration with one key."""

    def __init__(self, *, stale: bool = False, **sections: Any) -> None:
        given: dict[str, Any] = {"auth": {"keys": [{"name": "ci", "key": KEY, "limits": LIMITS}]}}
        self.config = Config.model_validate({"version": "1", **given, **sections})
        self.now = 1000.0
        self.told: list[CallRecord] = []
        self.metrics = Metrics("test")
        ring = KeyRing([(Secret(KEY), CI)], lambda: self.now, lambda: stale)
        directory: Any = None
        tokens = Tokens((), {}, directory, lambda: self.now)
        callers = Callers(Authenticator(ring, tokens), Failures(FAILURES), (), lambda: self.now)
        self.rules = LimitRules(self.config)
        self.limiter = LocalLimiter(MemoryLimits(), lambda: self.now)
        gateway = SimpleNamespace(objections=HastyLimits(self.rules, self.limiter, lambda: self.now))
        snapshot: Any = SimpleNamespace(callers=callers, gateway=gateway)
        ids = (f"id-{number}" for number in itertools.count())
        clock = Clock(lambda: self.now, lambda: self.now)
        current = Current(snapshot)
        rooms = CallRooms(current=current, clock=clock, new_id=lambda: next(ids), on_finish=self.told.append)
        self.entrance = Entrance(capacity_of(self.config))
        timers: Any = None
        self.refusals = Refusals(structlog.get_logger(), self.metrics, self._tell)
        lobby = Lobby(self.entrance, timers, 0.0)
        self.porter = Porter(
            CallEndpoints(rooms), current, lobby, lambda: 0.5, lambda: next(ids), self.refusals
        )

    def _tell(self, record: CallRecord) -> None:
        self.told.append(record)
        self.metrics.observe(record)

    def ask(self, key: str | None = KEY, path: str = CHAT, **headers: str) -> Any:
        fields = {**headers, **({} if key is None else {"authorization": f"Bearer {key}"})}
        scope: Scope = {
            "client": ("192.0.2.7", 5),
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }
        return self.porter.ask_early(b"POST", path.encode(), scope)

    async def use(self, times: int = 1) -> Answer:
        """Make calls that are let in."""
        for _ in range(times):
            answer = await self.limiter.take(self.rules.of_client(CI, "any"), Amounts(1, 10, 10))
        return answer

    def counted(self, status: int) -> float:
        labels = {"operation": "chat", "provider": "none", "model": "none", "status": str(status)}
        return self.metrics.registry.get_sample_value("switchgear_requests_total", labels) or 0.0


def parts(refusal: TurnedAway) -> tuple[int, dict[str, str], dict[str, Any]]:
    head, _, body = refusal.render(b"date: now\r\n", close=False).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return int(first.split(" ")[1]), headers, json.loads(body)["error"]


def test_an_answer_is_what_it_would_be_after_the_door() -> None:
    forms = Forms()
    errors: list[GatewayError] = [
        Unauthorized(),
        Unauthorized("Another reason."),
        Unauthorized(),
        LimitReached("So many.", retry_after=61.5, headers=(("x-ratelimit-limit-requests", "2"),)),
        LimitReached("So many.", retry_after=None),
        BudgetExceeded("Snowman: \u2603"),
    ]
    for error in errors:
        start, body = error_messages(error, "r-1")
        status, headers, told = parts(forms.answer(error, "r-1"))
        assert status == start["status"]
        assert headers == {"date": "now", **{name.decode(): v.decode() for name, v in start["headers"]}}
        assert told == json.loads(body["body"])["error"]


async def test_keys_are_judged_and_failures_counted_once() -> None:
    house = House()
    assert isinstance(house.ask(), Place)
    assert parts(house.ask(None))[2]["message"].startswith("No API key was given")
    for number in range(FAILURES):
        status, headers, error = parts(house.ask(f"sk-wrong-{number}", **{"x-request-id": f"r-{number}"}))
        assert (status, error["code"]) == (401, "invalid_api_key"), number
        assert (headers["x-request-id"], headers["www-authenticate"]) == (f"r-{number}", "Bearer")
    status, headers, error = parts(house.ask("sk-wrong-again"))
    assert (status, error["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(headers["retry-after-ms"]) <= 60_000 / FAILURES
    assert isinstance(house.ask(), Place), "good keys are taken at any time"
    assert isinstance(house.ask("may.be.token"), Place), "a token is judged behind the door"
    assert house.ask(path="/v1/videos/1") is UNASKED
    assert house.ask(path=f"{CHAT}?a=b") is UNASKED


async def test_a_key_that_cannot_be_checked_is_not_called_wrong() -> None:
    status, headers, error = parts(House(stale=True).ask("sk-unknown"))
    assert (status, error["code"], headers["retry-after"]) == (503, "keys_unavailable", "5")


async def test_some_refusals_are_told_and_all_are_counted() -> None:
    house = House()
    with capture_logs() as lines:
        for number in range(3 * LOGGED):
            house.ask(None, **{"x-request-id": f"r-{number}"})
        house.refusals.sum_up()
        house.refusals.sum_up()
    assert [record.request_id for record in house.told] == [f"r-{number}" for number in range(LOGGED)]
    record = house.told[0]
    assert (record.status, record.outcome, record.error_type) == (401, "refused", "invalid_api_key")
    assert (record.method, record.path, record.operation) == ("POST", CHAT, "chat")
    assert (record.key, record.model, record.attempts, record.cost_nano) == (None, None, 0, 0)
    assert house.counted(401) == 3 * LOGGED
    (line,) = lines
    assert (line["event"], line["calls"], line["code"]) == ("refused_too", 2 * LOGGED, "invalid_api_key")


async def test_what_no_body_could_change_is_refused_over_limits() -> None:
    house = House()
    assert isinstance(house.ask(), Place)
    answer = await house.use(2)
    assert isinstance(answer.taken, object)
    status, headers, error = parts(house.ask())
    assert (status, error["type"], error["code"]) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert "key:ci: rpm 2, 0 left, 1 asked. Try again in 60" in error["message"]
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-remaining-tokens"] == "960", "it tells of all its limits"
    assert 59_000 < int(headers["retry-after-ms"]) <= 60_100
    assert (house.told[0].key, house.told[0].team, house.told[0].status) == ("ci", "search", 429)
    house.now += 0.001
    again = parts(house.ask())
    assert (again[1]["retry-after-ms"], again[2]) == (headers["retry-after-ms"], error), (
        "so soon it is the same"
    )
    house.now += TOLD_AGAIN
    assert int(parts(house.ask())[1]["retry-after-ms"]) < int(headers["retry-after-ms"])
    house.now -= TOLD_AGAIN + 0.001
    # Refusals take nothing, and end when they say.
    house.now += int(headers["retry-after-ms"]) / 1000
    assert isinstance(house.ask(), Place)
    await house.use(2)
    assert parts(house.ask())[0] == 429


async def test_what_a_body_could_change_is_not() -> None:
    with_limits = House(models={"m": {"targets": ["openai/m"], "limits": {"rpm": 9}}})
    patient = House(models={"m": {"targets": ["openai/m"], "queue": {"max_wait": "1s"}}})
    for house in (with_limits, patient):
        await house.use(2)
        assert isinstance(house.ask(), Place)
    tokens = House()
    full = await tokens.limiter.take(tokens.rules.of_client(CI, "any"), Amounts(1, 1000, 0))
    assert full.taken
    assert isinstance(tokens.ask(), Place), "how many tokens it takes is in the body"


async def test_refusals_at_the_door_are_work_that_the_throttle_knows_of() -> None:
    house = House()
    for _ in range(5):
        house.ask("sk-wrong")
    assert house.entrance._throttle.refused == 5
    assert house.entrance.under_way == 0


async def test_want_of_a_place_is_told_without_a_record() -> None:
    house = House(server={"max_inflight": 1})
    assert isinstance(house.ask(), Place)
    status, headers, error = parts(house.ask())
    assert (status, error["code"], headers["retry-after"], headers["retry-after-ms"]) == (
        503, "overloaded", "1", "1000",
    )  # fmt: skip
    assert house.told == []
    assert house.metrics.registry.get_sample_value(
        "switchgear_overload_refusals_total", {"reason": "total"}
    ) == 1  # fmt: skip
