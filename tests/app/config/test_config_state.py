"""Where state is kept, and what becomes of limits while it is lost."""

from __future__ import annotations

import pytest

from app.config.checks import _workers
from app.config.models import Config
from app.config.state import kind_of

ACCEPTED = [
    "redis://127.0.0.1:6379/0",
    "redis://cache",
    "rediss://user:p%40ss@cache.acme.test:6380/3",
    "redis://[::1]:6379/15",
]
REFUSED = [
    ("state-canary", "is none of the places where state can be kept"),
    ("valkey://state-canary", "is none of the places"),
    ("redis://", "the URL has no host"),
    ("redis://:state-canary@:6379", "the URL has no host"),
    ("redis://state-canary:0/0", "the URL's port is no port"),
    ("redis://state-canary:65536/0", "is no valid URL"),
    ("redis://state-canary/zero", "path is no number of a database"),
    ("redis://state-canary/0?ssl=1", "holds a `?` or `#` part"),
]


@pytest.mark.parametrize("url", ACCEPTED)
def test_a_redis(loads, url: str) -> None:
    config = loads(f"state: '{url}'").config
    assert config.state.reveal() == url
    assert kind_of(config.state) == url.partition(":")[0]
    assert url not in repr(config)
    assert url not in config.model_dump_json()


@pytest.mark.parametrize(("url", "said"), REFUSED)
def test_no_redis_and_the_url_is_not_shown(complaints, url: str, said: str) -> None:
    (line,) = complaints(f"state: '{url}'")
    assert line.startswith("config.yaml:1:8: state: ")
    assert said in line
    assert "redis://host:6379/0" in line or "%3F" in line
    assert "canary" not in line


def test_an_empty_one_is_no_memory_in_silence(complaints) -> None:
    (line,) = complaints("state: '${REDIS_URL:-}'")
    assert "is empty; write `memory://`" in line


def test_policies(loads, complaints) -> None:
    text = "on_state_loss: closed\nplans: {a: {limits: {rpm: 5, on_state_loss: open}, budget: {amount: 1, per: day, on_state_loss: local_share}}}"
    config = loads(text).config
    assert config.on_state_loss == "closed"
    assert config.plans["a"].limits.on_state_loss == "open"
    assert config.plans["a"].limits.stated == {"rpm": 5}
    assert config.plans["a"].budget[0].on_state_loss == "local_share"
    (line,) = complaints("on_state_loss: shut")
    assert "local_share" in line


def test_several_workers_need_a_state_that_they_share(loads) -> None:
    class Many:
        workers = 4

    shared = loads("state: redis://cache").config.model_copy(update={"server": Many()})
    assert list(_workers(shared)) == []
    ((path, message, hint),) = _workers(Config().model_copy(update={"server": Many()}))
    assert path == ("server", "workers")
    assert "4 workers would each have limits" in message
    assert "state" in hint
