"""Cases 35 to 41: tokens that must let nobody in, against real keys."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from app.auth.presented import digest
from app.auth.principal import Principal
from app.errors import PermissionDenied, Unauthorized
from providers.types import Secret
from tests.app.auth.believing import NOW, Belief, believe
from tests.harness.issuer import (
    AUDIENCE,
    ISSUER,
    claims,
    encoded,
    forged,
    key_set,
    private_key,
    public_jwk,
    token,
)

HEADER = {"alg": "ES256", "typ": "JWT", "kid": "k1"}


def say(**changes: Any) -> dict[str, Any]:
    return claims(NOW, **changes)


def sign(data: bytes, number: int = 1) -> bytes:
    """Sign as ES256 does: two numbers of 32 bytes."""
    der = private_key("ES256", number).sign(data, ec.ECDSA(SHA256()))
    return b"".join(part.to_bytes(32, "big") for part in utils.decode_dss_signature(der))


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


def signed(header: Any = HEADER, payload: Any = None, number: int = 1) -> bytes:
    return forged(header, say() if payload is None else payload, lambda data: sign(data, number))


PUBLIC = private_key("ES256").public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
GOOD = signed()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(b".")

FORGED: dict[str, bytes] = {
    # Case 35: no signature at all.
    **{
        f"alg {spelt!r}": forged({**HEADER, "alg": spelt}, say())
        for spelt in ("none", "None", "NONE", "nOnE", "none ", "", None, 0, [], ["ES256"], {"alg": "ES256"})
    },
    **{
        f"signed alg {spelt}": signed({**HEADER, "alg": spelt})
        for spelt in ("none", "es256", "ES256 ", "ES512")
    },
    "no alg": forged({"typ": "JWT"}, say()),
    "empty signature": HEAD + b"." + PAYLOAD + b".",
    "no second dot": HEAD + b"." + PAYLOAD,
    "no dot": HEAD + PAYLOAD + SIGNATURE,
    "dots alone": b"..",
    "a fourth part": GOOD + b".x",
    "encrypted": b".".join([HEAD, b"", PAYLOAD, SIGNATURE, b"AAAA"]),
    # Case 36: the public key as a shared secret, and other algorithms than the issuer's.
    "HS256 with PEM": forged({**HEADER, "alg": "HS256"}, say(), hs256(PEM)),
    "HS256 with stripped PEM": forged({**HEADER, "alg": "HS256"}, say(), hs256(PEM.strip())),
    "HS256 with DER": forged({**HEADER, "alg": "HS256"}, say(), hs256(DER)),
    "HS256 with JWK": forged(
        {**HEADER, "alg": "HS256"}, say(), hs256(json.dumps(public_jwk("ES256")).encode())
    ),
    "HS256 with nothing": forged({**HEADER, "alg": "HS256"}, say(), hs256(b"")),
    "RS256 by somebody": token("RS256", now=NOW),
    "EdDSA by somebody": token("EdDSA", now=NOW),
    # The signature itself.
    "another key": signed(number=2),
    "zeros": forged(HEADER, say(), lambda _: bytes(64)),
    "signature in DER": forged(
        HEADER, say(), lambda data: private_key("ES256").sign(data, ec.ECDSA(SHA256()))
    ),
    "another's payload": b".".join([HEAD, encoded(say(sub="root")), SIGNATURE]),
    "another's header": b".".join([encoded({**HEADER, "cty": "x"}), PAYLOAD, SIGNATURE]),
    "cut signature": GOOD[:-4],
    "padded": GOOD + b"==",
    "newline after": GOOD + b"\n",
    "blank within": HEAD + b" ." + PAYLOAD + b"." + SIGNATURE,
    "other base64": b"+/+/." + PAYLOAD + b"." + SIGNATURE,
    "not ASCII": HEAD + b"\xc3\xa9." + PAYLOAD + b"." + SIGNATURE,
    # Case 37: what a header says of keys.
    "jwk": signed({**HEADER, "jwk": public_jwk("ES256", number=2)}, number=2),
    "jwk without kid": signed({"alg": "ES256", "jwk": public_jwk("ES256", number=2)}, number=2),
    "jku": signed({**HEADER, "kid": "k2", "jku": "http://127.0.0.1:9/keys"}, number=2),
    "x5u": signed({**HEADER, "kid": "k2", "x5u": "http://127.0.0.1:9/chain"}, number=2),
    **{
        f"kid {kid!r}"[:60]: signed({**HEADER, "kid": kid}, number=2)
        for kid in (
            *("../../../../dev/null", "/etc/passwd", "k1' UNION SELECT 'x'--", "http://127.0.0.1:9/"),
            *("", " k1", "K1", "k1\0", "k" * 8000, 1, 1.5, True, ["k1"], {"k": 1}),
        )
    },
    # Case 38: extensions and kinds of tokens that mean something else.
    "crit": signed({**HEADER, "crit": ["exp"]}),
    "empty crit": signed({**HEADER, "crit": []}),
    "b64": signed({**HEADER, "b64": False, "crit": ["b64"]}),
    "b64 alone": signed({**HEADER, "b64": False}),
    **{
        f"typ {kind!r}": signed({**HEADER, "typ": kind})
        for kind in ("logout+jwt", "dpop+jwt", "secevent+jwt", "", 1, ["JWT"])
    },
    # What is no JSON object, or takes a parser down.
    "header is a list": signed([HEADER]),
    "header is null": signed(b"null"),
    "header is no JSON": signed(b"{"),
    "payload is a list": signed(payload=[say()]),
    "payload is a text": signed(payload=b'"x"'),
    "payload is UTF-16": signed(payload=json.dumps(say()).encode("utf-16")),
    "deep header": signed(b'{"a":' * 2000 + b"1" + b"}" * 2000),
    "deep payload": signed(
        payload=b'{"iss":"' + ISSUER.encode() + b'","a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    ),
    "NaN": signed(payload=json.dumps(say()).replace(str(int(NOW) + 300), "NaN").encode()),
    "Infinity": signed(payload=json.dumps(say()).replace(str(int(NOW) + 300), "Infinity").encode()),
}

CLAIMED: dict[str, dict[str, Any]] = {
    # Case 39: by whom and for whom.
    **{
        f"iss {value!r}": {"iss": value}
        for value in (None, "", "https://evil.test", ISSUER + "/", ISSUER.upper(), [ISSUER], 1, {"a": ISSUER})
    },
    **{
        f"aud {value!r}": {"aud": value}
        for value in (
            *(None, "", "https://other.test", AUDIENCE + "/", AUDIENCE[:-1], f"{AUDIENCE} {AUDIENCE}"),
            *([], [[AUDIENCE]], ["https://other.test"], {AUDIENCE: 1}, 1, True),
        )
    },
    # Case 40: from when until when.
    **{
        f"exp {value!r}": {"exp": value}
        for value in (
            *(None, str(int(NOW) + 300), NOW - 11, 0, -1, True, [], 10**13, 10**400, 1e300),
            NOW - 10,
        )
    },
    **{f"iat {value!r}": {"iat": value} for value in (None, "now", NOW + 11, True, 10**30, [])},
    **{f"nbf {value!r}": {"nbf": value} for value in ("", NOW + 11, True, False, [], 10**400)},
    # Case 41: of whom.
    **{
        f"sub {value!r}"[:60]: {"sub": value} for value in (None, "", 0, 1, True, ["jo"], {"a": 1}, "j" * 256)
    },
}


@pytest.fixture
async def belief() -> Belief:
    return await believe("ES256")


async def refused(belief: Belief, raw: bytes) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        await belief.recognise(raw)
    error = caught.value
    assert (error.http_status, error.code) == (401, "invalid_api_key")
    assert ("www-authenticate", "Bearer") in error.headers
    text = error.body().decode() + repr(error.__cause__) + repr(error.__context__)
    assert raw.decode("latin-1") not in text
    assert SIGNATURE.decode() not in text
    return error


@pytest.mark.parametrize("name", FORGED)
async def test_cases_35_to_38_a_forged_token_lets_nobody_in(belief: Belief, name: str) -> None:
    belief.time[0] += 0.001
    await refused(belief, FORGED[name])
    assert belief.wire.fetches == 1


@pytest.mark.parametrize("name", CLAIMED)
async def test_cases_39_to_41_a_signed_token_with_wrong_claims_lets_nobody_in(
    belief: Belief, name: str
) -> None:
    payload = {key: value for key, value in {**say(), **CLAIMED[name]}.items() if value is not None}
    await refused(belief, signed(payload=payload))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["https://other.test", AUDIENCE]},
        {"exp": NOW - 9.9},
        {"iat": NOW + 9.9},
        {"nbf": NOW + 9.9},
        {"exp": NOW + 0.5},
        {"email": "root@acme.test", "roles": ["admin"], "is_master": True, "user": "root", "team": "x"},
    ],
)
async def test_a_good_token_is_taken_for_who_it_says(belief: Belief, changes: dict[str, Any]) -> None:
    principal = await belief.recognise(signed(payload=say(**changes)))
    assert (principal.name, principal.user, principal.key) == ("user:jo", "jo", None)
    assert (principal.is_master, principal.roles, principal.team) == (False, frozenset(), None)


@pytest.mark.parametrize(
    "header", [{"typ": "at+jwt"}, {"typ": "application/at+JWT"}, {"x5t": "a"}, {"jku": "http://127.0.0.1:9/"}]
)
async def test_harmless_headers_are_no_reason_to_refuse(belief: Belief, header: dict[str, Any]) -> None:
    assert (await belief.recognise(signed({**HEADER, **header}))).user == "jo"


FAMILIES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@pytest.mark.parametrize("algorithm", FAMILIES)
async def test_every_algorithm_is_taken_where_it_is_named_and_refused_elsewhere(algorithm: str) -> None:
    raw = token(algorithm, now=NOW)
    assert (await (await believe(algorithm)).recognise(raw)).user == "jo"
    for other in ("RS256", "PS256", "ES256", "EdDSA"):
        if other != algorithm:
            # The same key stands in the set: RS and PS share it.
            trusting = await believe(other, document=key_set(public_jwk(algorithm), public_jwk(other, "k2")))
            await refused(trusting, raw)


async def test_hs_is_taken_by_explicit_choice_alone() -> None:
    secret = "an-hs-secret-of-32-bytes-or-more!"
    raw = jwt.encode(say(), secret, "HS256").encode()
    await refused(await believe("ES256"), raw)
    chosen = await believe_secret(secret)
    assert (await chosen.recognise(raw)).user == "jo"
    for other in (b"another-secret-of-32-bytes-or-more", b""):
        await refused(chosen, forged({"alg": "HS256"}, say(), hs256(other)))
    await refused(chosen, signed())


async def believe_secret(secret: str) -> Belief:
    from app.auth.directory import Directory
    from app.auth.issuer_keys import SharedSecret
    from app.auth.tokens import Tokens
    from app.config.models import Config
    from tests.app.auth.believing import issuer

    belief = await believe("ES256")
    trusted = issuer(algorithms=("HS256",), jwks_url=None, secret=Secret(secret))
    keys = {ISSUER: SharedSecret(trusted.secret)}
    belief.tokens = Tokens([trusted], keys, Directory(Config()), lambda: belief.time[0])
    return belief


@given(st.data())
async def test_a_changed_byte_never_gives_another_identity(data: st.DataObject) -> None:
    belief = await believe("ES256")
    raw = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"AZaz09-_.=\x00\xff"))
    try:
        principal = await belief.recognise(bytes(raw))
    except Unauthorized:
        return
    assert principal.user == "jo"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["iss", "aud", "sub", "exp", "iat", "nbf", "team", "models"])


@given(st.dictionaries(_NAMES, _JSON, max_size=8))
async def test_whatever_an_issuer_signs_there_is_an_answer_and_no_fault(strange: dict[str, Any]) -> None:
    belief = await believe("ES256", claims={"team": "team", "models": "models"})
    try:
        principal = await belief.recognise(signed(payload={**say(), **strange}))
    except (Unauthorized, PermissionDenied):
        return
    assert isinstance(principal, Principal)


@given(
    st.binary(max_size=200)
    | st.from_regex(rb"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]*", fullmatch=True)
)
async def test_no_bytes_are_more_than_refused(raw: bytes) -> None:
    belief = await believe("ES256")
    with pytest.raises(Unauthorized):
        belief.tokens.recognise(raw, digest(raw))
