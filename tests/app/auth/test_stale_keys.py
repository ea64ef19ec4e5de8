"""Stored keys while the store is away: what is known goes on, what is not known may be right."""

import pytest
import structlog

from app.auth.authenticator import Authenticator
from app.auth.directory import Directory
from app.auth.freshness import Freshness
from app.auth.keyring import KeyRing
from app.auth.making import make_key
from app.auth.principal import Principal
from app.auth.snapshot import StoredKeys
from app.auth.tokens import Tokens
from app.config.models import Config
from app.errors import Unauthorized, Unavailable
from app.store.database import StoreUnavailable
from app.store.keys import KeyStore
from providers.types import Secret

CONFIGURED = "sk-configured-0123456789"


class Away(KeyStore):
    """The real store, which can be away."""

    is_away = False

    async def change_token(self):
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().change_token()


class Desk:
    def __init__(self, database):
        self.now = 100.0
        self.store = Away(database)
        freshness = Freshness(10.0, lambda: self.now)
        configured = [(Secret(CONFIGURED), Principal("ci"))]
        self.ring = KeyRing(configured, lambda: 0.0, freshness.is_stale)
        tokens = Tokens((), {}, Directory(Config()), lambda: 0.0)
        self.authenticator = Authenticator(self.ring, tokens)
        self.stored = StoredKeys(
            self.store, self.ring, Directory(Config()), freshness, structlog.get_logger()
        )

    def who(self, key):
        return self.authenticator.recognise(key.encode()).name

    async def look(self, after):
        self.now += after
        try:
            await self.stored.refresh()
        except StoreUnavailable:
            assert self.store.is_away


@pytest.fixture
def desk(database):
    return Desk(database)


async def test_case_113_known_keys_go_on_and_unknown_ones_are_told_to_come_again(desk):
    key, new = make_key("app")
    other, later = make_key("later")
    await desk.store.create_key(new, 1.0)
    await desk.look(0)
    desk.store.is_away = True
    for _ in range(5):
        await desk.look(2)
        with pytest.raises(Unauthorized):
            desk.who(other)
    await desk.look(1)
    with pytest.raises(Unavailable) as refused:
        desk.who(other)
    assert (refused.value.http_status, refused.value.code) == (503, "keys_unavailable")
    assert dict(refused.value.headers)["retry-after"] == "5"
    await desk.look(300)
    assert (desk.who(key), desk.who(CONFIGURED)) == ("app", "ci")

    desk.store.is_away = False
    await desk.store.create_key(later, 2.0)
    await desk.look(1)
    assert (desk.who(other), desk.who(key)) == ("later", "app")
    with pytest.raises(Unauthorized):
        desk.who("sk-nobodys-0123456789")


async def test_a_look_that_takes_long_tells_what_was_true_when_it_began(desk):
    class Slow(Away):
        async def change_token(self):
            desk.now += 11
            return 1

    desk.stored = StoredKeys(
        Slow(desk.store._database), desk.ring, Directory(Config()), desk.stored._freshness, None
    )
    await desk.look(0)
    with pytest.raises(Unavailable):
        desk.who("sk-nobodys-0123456789")


async def test_before_the_first_look_nobody_can_tell(desk):
    assert desk.who(CONFIGURED) == "ci"
    with pytest.raises(Unavailable):
        desk.who("sk-nobodys-0123456789")
    # No key of the store is a token.
    with pytest.raises(Unauthorized):
        desk.who("a.b.c")
