"""Credentials that are made: one at a time, in time, and off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from app.auth.upstream import keeper as keeping
from app.auth.upstream.keeper import Keeper
from app.auth.upstream.made import Made, bearer
from providers.errors import CredentialRejected
from providers.types import Head, HttpRequest

REQUEST = HttpRequest(
    "POST", "https://x.test/", (("content-type", "a/b"), ("authorization", "Bearer old")), b"{}"
)


@dataclass
class Desk:
    """Makes tokens of an hour, when the test lets it."""

    now: float = 1000.0
    calls: int = 0
    fault: Exception | None = None
    lifetime: float = 3600.0
    reasons: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open.set()
        self.keeper = Keeper(self.make, lambda: self.now, self.reasons.append)

    def make(self) -> Made:
        self.calls += 1
        number = self.calls
        self.threads.add(threading.get_ident())
        assert self.open.wait(5)
        if self.fault:
            raise self.fault
        return bearer(f"token-{number}", self.now, self.now + self.lifetime)

    async def token(self) -> str:
        made = await self.keeper.current()
        return dict(made.apply(REQUEST).headers)["authorization"]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


async def test_one_is_made_off_the_loop_for_all_who_ask() -> None:
    desk = Desk()
    desk.open.clear()
    asking = [asyncio.create_task(desk.token()) for _ in range(5)]
    await until(lambda: desk.calls == 1)
    asking[0].cancel()
    desk.open.set()
    assert await asyncio.gather(*asking[1:]) == ["Bearer token-1"] * 4
    assert await desk.token() == "Bearer token-1"
    assert desk.calls == 1
    assert threading.get_ident() not in desk.threads


async def test_before_its_end_another_is_made_beside() -> None:
    desk = Desk()
    assert await desk.token() == "Bearer token-1"
    desk.now += 3299
    assert await desk.token() == "Bearer token-1"
    assert desk.calls == 1
    desk.now += 2
    desk.open.clear()
    assert [await desk.token() for _ in range(3)] == ["Bearer token-1"] * 3
    desk.open.set()
    await until(lambda: desk.keeper._task is not None and desk.keeper._task.done())
    assert await desk.token() == "Bearer token-2"
    assert desk.calls == 2


async def test_what_fails_beside_is_tried_again_and_what_is_good_still_serves() -> None:
    desk = Desk()
    await desk.token()
    desk.now, desk.fault = desk.now + 3400, OSError("the desk is shut\nsecond line")
    assert await desk.token() == "Bearer token-1"
    await until(lambda: bool(desk.reasons))
    assert desk.reasons == ["OSError: the desk is shut"]
    for _ in range(3):
        await desk.token()
    assert desk.calls == 2
    desk.now += 11
    await desk.token()
    await until(lambda: len(desk.reasons) == 2)
    desk.now += 200
    with pytest.raises(CredentialRejected, match="the desk is shut"):
        await desk.token()
    desk.fault = None
    assert await desk.token() == "Bearer token-5"


async def test_a_desk_that_hangs_is_waited_for_by_one_thread(monkeypatch) -> None:
    monkeypatch.setattr(keeping, "PATIENCE", 0.01)
    desk = Desk()
    desk.open.clear()
    for _ in range(3):
        with pytest.raises(CredentialRejected, match="within"):
            await desk.token()
    assert desk.calls == 1
    desk.open.set()
    await until(lambda: desk.keeper._made is not None)
    assert await desk.token() == "Bearer token-1"
    await desk.keeper.close()


async def test_one_that_has_ended_already_is_not_used() -> None:
    desk = Desk(lifetime=5.0)
    with pytest.raises(CredentialRejected, match="ended already"):
        await desk.token()


async def test_what_is_refused_is_made_anew_once_it_is_not_young() -> None:
    desk = Desk()
    made = await desk.keeper.current()
    assert not desk.keeper.replaces(made), "another one would be refused too"
    desk.now += 61
    assert desk.keeper.replaces(made)
    assert await desk.token() == "Bearer token-2"
    assert desk.keeper.replaces(made), "somebody else has replaced it already"
    assert await desk.token() == "Bearer token-2"
    assert (made.is_refused(Head(401, {})), made.is_refused(Head(403, {}))) == (True, False)


async def test_closing_waits_for_nothing() -> None:
    desk = Desk()
    desk.open.clear()
    asking = asyncio.create_task(desk.token())
    await until(lambda: desk.calls == 1)
    await desk.keeper.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    desk.open.set()


def test_a_token_takes_the_place_of_a_key_and_is_not_shown() -> None:
    made = bearer("very-secret-token", 0.0, 100.0, x_goog_user_project="p")
    assert made.apply(REQUEST).headers == (
        ("content-type", "a/b"),
        ("authorization", "Bearer very-secret-token"),
        ("x-goog-user-project", "p"),
    )
    assert "very-secret" not in repr(made) + repr(made.apply(REQUEST))
    assert (made.fresh_until, made.valid_until) == (50.0, 90.0)
