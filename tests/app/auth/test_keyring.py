"""Which requests are let in, and as whom."""

from __future__ import annotations

import pytest

from app.auth.authenticator import Authenticator
from app.auth.directory import Directory
from app.auth.keyring import KeyRing
from app.auth.presented import digest, presented
from app.auth.principal import Principal
from app.auth.tokens import Tokens
from app.config.models import Config
from app.errors import Unauthorized
from providers.types import Secret

KEY = b"sk-0123456789abcdef"


def ring(now: float = 1000.0, expires: float | None = None) -> KeyRing:
    return KeyRing([(Secret(KEY.decode()), Principal("ci", expires=expires))], lambda: now)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer " + KEY)],
        [(b"authorization", b"bearer   " + KEY)],
        [(b"x-api-key", KEY)],
        [(b"api-key", KEY)],
        [(b"authorization", b"Bearer " + KEY), (b"x-api-key", KEY)],
    ],
)
def test_a_valid_key_is_taken_from_each_header(headers: list[tuple[bytes, bytes]]) -> None:
    assert ring().find(digest(presented(headers))) == Principal("ci")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Basic " + KEY)],
        [(b"authorization", b"Bearer\t" + KEY)],
        [(b"authorization", b"Bearer x\t" + KEY)],
        [(b"authorization", b"Bearer " + KEY), (b"authorization", b"Bearer " + KEY)],
        [(b"authorization", b"Bearer " + KEY), (b"x-api-key", b"another")],
        [(b"x-api-key", KEY + b"\xff")],
        [(b"x-api-key", b"\x80\xff")],
        [(b"x-api-key", b"' OR 1=1--")],
        [(b"x-api-key", b"a" * 70_000)],
        [(b"x-api-key", KEY[:-1])],
    ],
)
def test_anything_else_is_401(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unauthorized) as caught:
        Authenticator(ring(), Tokens((), {}, Directory(Config()), lambda: 0.0)).recognise(presented(headers))
    assert caught.value.http_status == 401
    assert KEY.decode() not in caught.value.message


def test_a_key_is_valid_until_it_expires() -> None:
    assert ring(now=999.9, expires=1000.0).find(digest(KEY))
    assert ring(now=1000.0, expires=1000.0).find(digest(KEY)) is None


def test_a_snapshot_of_stored_keys_replaces_the_one_before() -> None:
    keys = ring()
    keys.replace_stored({digest(b"stored-one"): Principal("one")})
    assert keys.find(digest(b"stored-one")) == Principal("one")
    keys.replace_stored({})
    assert keys.find(digest(b"stored-one")) is None
    assert keys.find(digest(KEY)) == Principal("ci")
