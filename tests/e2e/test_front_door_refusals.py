"""What the porter refuses is answered without being begun, however its bytes come, and leaves its connection whole."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from app.api.asgi import Scope, header
from app.api.front_door_entrance import SMALL
from app.api.porter import UNASKED, NoPorter, Unasked, Verdict
from app.api.turned_away import Forms
from app.errors import Unauthorized
from tests.e2e.test_front_door import Served, answers, one_answer, post, serving, until_closed

BAD = "x-api-key: bad"


class Strict(NoPorter):
    """Refuses one key; early, where it stands at a usual place."""

    asked = 0

    def ask_early(self, _method: bytes, target: bytes, scope: Scope) -> Verdict | Unasked:
        if target.startswith(b"/late"):
            return UNASKED
        scope["path"] = target.decode()
        return self.ask(scope)

    def ask(self, scope: Scope) -> Verdict:
        self.asked += 1
        if header(scope["headers"], b"x-api-key") != b"bad":
            return None
        return Forms().answer(Unauthorized(), f"id-{self.asked}")


@pytest.fixture(scope="module")
def porter() -> Strict:
    return Strict()


@pytest.fixture(scope="module")
def door(porter: Strict) -> Iterator[Served]:
    with serving(loop="uvloop", porter=porter) as served:
        yield served


def bad(body: bytes = b"{}", path: str = "/echo", *more: str) -> bytes:
    return post(BAD, f"content-length: {len(body)}", *more, body=body, path=path)


GOOD = post("content-length: 5", body=b"hello", path="/echo")


@pytest.mark.parametrize("path", ["/echo", "/late"])
def test_a_refused_call_leaves_its_connection_as_good_as_new(door: Served, path: str) -> None:
    chance = random.Random(7)
    seen = len(door.seen.paths)
    for _ in range(12):
        data = bad(b"x" * chance.choice([0, 2, 9_000]), path) * 2 + GOOD + bad(path=path)
        cuts = sorted(chance.sample(range(1, len(data)), chance.choice([0, 1, 3])))
        with door.connect() as client:
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                client.sendall(data[start:end])
                time.sleep(0.001)
            client.sendall(post("connection: close", "content-length: 0"))
            found = answers(until_closed(client))
        assert [each.status for each in found] == [401, 401, 200, 401, 200], (cuts, found)
        assert [each.headers.get("connection") for each in found[:4]] == [None] * 4
    assert found[0].code == "invalid_api_key"
    assert found[0].headers["www-authenticate"] == "Bearer"
    assert found[0].headers["x-request-id"].startswith("id-")
    assert len(door.seen.paths) - seen == 24, "the application has seen the good ones alone"


def test_it_waits_its_turn_behind_answers_that_are_owed(door: Served) -> None:
    before = post("content-length: 0", path="/slow")
    found = door.ask(before + bad() + post("connection: close", "content-length: 0"))
    assert [each.status for each in found] == [200], "a stream without a length, and what is behind it"
    body = found[0].body
    assert body.index(b"0\r\n\r\n") < body.index(b"HTTP/1.1 401") < body.rindex(b"HTTP/1.1 200")


def test_an_unread_body_costs_the_connection(door: Served) -> None:
    for rest in (
        f"content-length: {SMALL + 1}",
        "transfer-encoding: chunked",
        "content-length: 9\r\nexpect: 100-continue",
    ):
        with door.connect() as client:
            client.sendall(post(BAD, rest))
            (found,) = answers(until_closed(client))
            assert (found.status, found.headers["connection"]) == (401, "close"), rest
        # The rest may be on its way already; it is no request.
        (found,) = door.ask(post(BAD, rest, body=b"5\r\nhello\r\n0\r\n\r\n" + GOOD))
        assert found.status == 401


def test_who_wants_the_connection_closed_gets_it_closed(door: Served) -> None:
    for data in (bad(b"{}", "/echo", "connection: close"), post(BAD, version="1.0")):
        (found,) = door.ask(data + GOOD)
        assert (found.status, found.headers["connection"]) == (401, "close")


def test_a_body_that_will_be_thrown_away_has_no_more_time_than_another(door: Served) -> None:
    with door.connect() as client:
        client.sendall(post(BAD, "content-length: 50", body=b"{"))
        (found,) = answers(until_closed(client))
    assert (found.status, found.code) == (408, "request_timeout")


def test_each_call_is_asked_about_once(door: Served, porter: Strict) -> None:
    asked = porter.asked
    with door.connect() as client:
        for data in (bad(), GOOD, bad(path="/late"), post("content-length: 0", path="/late")):
            client.sendall(data)
            one_answer(client)
    assert porter.asked == asked + 4


def test_a_server_that_leaves_says_so_in_refusals_too() -> None:
    with serving(porter=Strict()) as served, served.connect() as client:
        client.sendall(bad()[:-1])
        time.sleep(0.05)
        served.server.should_exit = True
        time.sleep(0.2)
        client.sendall(b"}")
        (found,) = answers(until_closed(client))
    assert (found.status, found.headers["connection"]) == (401, "close")
