"""Cases 37 and 43: keys that rotate, names of keys that nobody knows, and issuers in trouble."""

from __future__ import annotations

import asyncio

import pytest

from app.auth.issuer_keys import KEPT, PAUSE, REFRESH
from app.auth.jwks import BadKeySet, read_key_set
from app.auth.key_sources import KeySources
from app.errors import Unauthorized
from tests.app.auth.believing import DOWN, NOW, Belief, Wire, believe, issuer
from tests.harness.issuer import encoded, key_set, private_key, public_jwk, token


async def refused(belief: Belief, raw: bytes) -> None:
    with pytest.raises(Unauthorized):
        await belief.recognise(raw)


async def test_case_43_a_new_key_is_found_when_a_token_names_it() -> None:
    belief = await believe()
    belief.wire.document = key_set(public_jwk("ES256"), public_jwk("ES256", "k2", 2))
    belief.time[0] += PAUSE
    new = token(kid="k2", number=2, now=NOW)
    assert (await belief.recognise(new)).user == "jo"
    assert belief.wire.fetches == 2


async def test_case_43_a_key_that_was_taken_back_counts_for_nothing_after_the_next_look() -> None:
    belief = await believe()
    belief.wire.document = key_set(public_jwk("ES256", "k2", 2))
    belief.time[0] += REFRESH
    await belief.keys.renewal()
    await refused(belief, token(now=NOW))


async def test_case_37_unknown_kids_cause_one_fetch_in_thirty_seconds() -> None:
    belief = await believe()
    for second in range(90):
        belief.time[0] = NOW + second
        for number in range(10):
            await refused(belief, token(kid=f"unknown-{second}-{number}", number=2, now=NOW))
    assert belief.wire.fetches == 3


async def test_case_37_a_fetch_is_shared_by_all_that_wait_for_it() -> None:
    belief = await believe()
    belief.time[0] += PAUSE
    belief.wire.gate = asyncio.Event()
    belief.wire.document = key_set(public_jwk("ES256", "k2", 2))
    waiting = [
        asyncio.create_task(belief.recognise(token(kid="k2", number=2, now=NOW, sub=f"u{number}")))
        for number in range(20)
    ]
    await asyncio.sleep(0)
    # One of them leaves: the others get their answer all the same.
    waiting[0].cancel()
    # Who needs no new key waits for nothing.
    assert (await belief.recognise(token(now=NOW))).user == "jo"
    await asyncio.sleep(0)
    belief.wire.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [each.user for each in found[1:]] == [f"u{number}" for number in range(1, 20)]
    assert belief.wire.fetches == 2


@pytest.mark.parametrize(
    "trouble",
    [
        DOWN,
        b"<html>Sign in</html>",
        b"",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": "x"}',
        b"[" * 5000,
        OSError("x"),
    ],
)
async def test_case_43_the_last_good_keys_stay_for_a_day(trouble: bytes | Exception) -> None:
    belief = await believe()
    belief.wire.document = trouble
    for hours in (1, 12, 23.9):
        belief.time[0] = NOW + hours * 3600
        await belief.keys.renewal()
        now = belief.time[0]
        assert (await belief.recognise(token(now=now))).user == "jo"
        await refused(belief, token(kid="k2", number=2, now=now))
    belief.time[0] = NOW + KEPT + 1
    await refused(belief, token(now=belief.time[0]))
    belief.wire.document = key_set(public_jwk("ES256"))
    belief.time[0] += PAUSE
    assert (await belief.recognise(token(now=belief.time[0]))).user == "jo"


async def test_case_43_trouble_is_logged_once_and_so_is_its_end() -> None:
    belief = await believe()
    good, belief.wire.document = belief.wire.document, DOWN
    for _ in range(3):
        belief.time[0] += PAUSE
        await belief.keys.renewal()
    belief.wire.document = good
    belief.time[0] += PAUSE
    await belief.keys.renewal()
    assert [(call.method_name, call.args[0]) for call in belief.log.calls] == [
        ("error", "jwks_unavailable"),
        ("info", "jwks_available"),
    ]


async def test_case_43_with_no_keys_at_all_a_token_is_401() -> None:
    belief = await believe(document=DOWN)
    await refused(belief, token(now=NOW))
    belief.time[0] += PAUSE
    await refused(belief, token(now=NOW))
    assert belief.wire.fetches == 2


async def test_keys_are_looked_at_again_before_they_are_asked_for(monkeypatch) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr("app.auth.issuer_keys.asyncio.sleep", sleep)
    belief = await believe(document=DOWN)
    following = asyncio.create_task(belief.keys.follow())
    while len(slept) < 7:
        await real(0)
    belief.wire.document = key_set(public_jwk("ES256"))
    while slept[-1] != REFRESH:
        await real(0)
    following.cancel()
    await asyncio.wait([following])
    assert slept[:7] == [2, 4, 8, 16, 30, 30, 30]


async def test_an_issuer_that_stays_keeps_its_keys_over_a_reload() -> None:
    wire = Wire(key_set(public_jwk("ES256")))

    async def fetch(url: str, *, allow_private: bool) -> bytes:
        assert (url, allow_private) == ("https://id.acme.test/keys", False)
        return await wire()

    sources = KeySources(fetch, lambda: NOW, None)  # type: ignore[arg-type] - nothing is logged
    before = sources.configure([issuer()])
    after = sources.configure(
        [issuer(audience="https://other.test"), issuer(issuer="b", algorithms=("RS256",))]
    )
    assert after[issuer().issuer] is before[issuer().issuer]
    assert [name for name, _ in sources.ages()] == [issuer().issuer, "b"]
    sources.configure([])
    assert sources.ages() == []
    await sources.close()
    await asyncio.sleep(0)
    assert [task.get_name() for task in asyncio.all_tasks() if "jwks" in task.get_name()] == []


# Key sets.


def test_keys_are_told_apart_by_name_and_algorithm() -> None:
    found = read_key_set(key_set(public_jwk("ES256"), public_jwk("ES256", "k2", 2)), ["ES256", "ES384"])
    first, second = found.find("k1", "ES256"), found.find("k2", "ES256")
    assert first.public_numbers() == private_key("ES256").public_key().public_numbers()
    assert second.public_numbers() == private_key("ES256", 2).public_key().public_numbers()
    assert [found.find(kid, "ES256") for kid in (None, "", "k3")] == [None] * 3
    assert found.find("k1", "ES384") is None


def test_a_token_without_kid_has_a_key_where_there_is_only_one() -> None:
    assert read_key_set(key_set(public_jwk("ES256")), ["ES256"]).find(None, "ES256")
    assert read_key_set(key_set(public_jwk("ES256", None)), ["ES256"]).find(None, "ES256")


@pytest.mark.parametrize(
    "jwk",
    [
        public_jwk("ES256", use="enc"),
        public_jwk("ES256", alg="ES384"),
        public_jwk("ES256", alg="HS256"),
        public_jwk("ES256", key_ops=["sign"]),
        public_jwk("ES256", key_ops="verify"),
        public_jwk("ES256", d="AAAA"),
        public_jwk("ES256", x="AAAA"),
        public_jwk("ES256", x=1),
        public_jwk("ES256", x="é"),
        public_jwk("ES256", y=public_jwk("ES256", number=2)["y"]),
        public_jwk("ES256", crv="P-384"),
        public_jwk("ES256", crv="secp256k1"),
        public_jwk("ES256", kty="oct", k="AAAA"),
        public_jwk("ES256", kty="RSA"),
        public_jwk("EdDSA"),
        public_jwk("RS256"),
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "k1"},
        {},
        [],
        "x",
        None,
    ],
)
def test_keys_that_do_not_fit_are_left_out(jwk: object) -> None:
    with pytest.raises(BadKeySet, match="no key for ES256"):
        read_key_set(key_set(jwk), ["ES256"])  # type: ignore[arg-type] - what an issuer may send
    assert read_key_set(key_set(jwk, public_jwk("ES256", "good")), ["ES256"]).find("good", "ES256")  # type: ignore[arg-type] - what issuers may send


def test_rsa_keys_that_are_too_short_are_left_out() -> None:
    modulus = private_key("RS256", 9, 1024).public_key().public_numbers().n
    short = public_jwk("RS256", n=encoded(modulus.to_bytes(128, "big")).decode())
    with pytest.raises(BadKeySet):
        read_key_set(key_set(short), ["RS256"])
