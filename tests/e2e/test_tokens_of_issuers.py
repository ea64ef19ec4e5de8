"""JWTs as API keys, in front of the real gateway: SDK, ledger, log, metrics, floods, an issuer in trouble."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import openai
import pytest
from openai import OpenAI

from app.cli.usage import CallStore
from app.store.database import Database
from tests.harness.client import Response
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.issuer import ISSUER, JwksServer, answers, key_set, public_jwk, token
from tests.harness.rig import config_for, start_gateway
from tests.harness.secrets import Secrets

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
FLOOD = 20
MASTER = "sk-master-of-the-token-tests-0123456789"


@dataclass(frozen=True)
class House:
    """A gateway that trusts an issuer, and the issuer."""

    gateway: Gateway
    jwks: JwksServer

    def post(self, raw: bytes, client: str = "203.0.113.1", model: str = "echo/echo") -> Response:
        """Call as a client behind the proxy."""
        headers = {"x-forwarded-for": f"198.51.100.1, {client}"}
        return self.gateway.post(CHAT, chat_body(model), key=raw.decode(), headers=headers)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with JwksServer(answers(key_set(public_jwk("ES256")))) as jwks:
        issuer = {
            "issuer": ISSUER,
            "audience": "https://gateway.acme.test",
            "jwks_url": jwks.url,
            "algorithms": ["ES256"],
            "claims": {"team": "team", "models": "models"},
        }
        config = config_for(
            {"echo": {}},
            {"copied": {"targets": ["echo/echo"], "mirror": {"target": "echo/the-copy", "share": "1"}}},
            server={"trusted_proxies": ["127.0.0.1"]},
            organisations={"acme": {"models": ["echo/e*", "copied"]}},
            teams={"search": {"organisation": "acme", "plan": "small"}},
            plans={"small": {"limits": {"rpm": 5}}},
        )
        config["auth"] |= {"jwt": [issuer], "max_failures": FLOOD, "master_key": MASTER}
        with start_gateway(tmp_path_factory.mktemp("tokens"), Secrets(), config) as gateway:
            yield House(gateway, jwks)


def test_a_token_is_the_sdks_api_key_and_its_bearer_is_told_everywhere(house: House) -> None:
    raw = token(sub="sdk-user", team="search")
    with OpenAI(base_url=f"{house.gateway.base_url}/v1", api_key=raw.decode(), max_retries=0) as client:
        messages = [{"role": "user", "content": "Hello"}]
        answer = client.chat.completions.with_raw_response.create(model="echo/echo", messages=messages)
        chunks = list(client.chat.completions.create(model="echo/echo", messages=messages, stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert "echo" in {model.id.partition("/")[0] for model in client.models.list()}
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(model="echo/other", messages=messages)
    told = {"key": None, "user": "sdk-user", "team": "search", "organisation": "acme", "plan": "small"}
    house.gateway.record(answer.headers["x-request-id"], **told, status=200)
    assert answer.headers["x-ratelimit-limit-requests"] == "5"

    async def usage() -> list[Mapping[str, str | None]]:
        database = await Database.open(f"sqlite:///{house.gateway.database}")
        try:
            sums = await CallStore(database).sum_calls(["organisation", "team", "user"])
            return [each.group for each in sums]
        finally:
            await database.close()

    assert {"organisation": "acme", "team": "search", "user": "sdk-user"} in asyncio.run(usage())
    metrics = house.gateway.metrics()
    assert 0 <= metrics[f'switchgear_jwks_age_seconds{{issuer="{ISSUER}"}}'] < 60
    assert not [name for name in metrics if "sdk-user" in name]
    output = house.gateway.output
    assert raw.decode() not in output
    assert raw.rsplit(b".", 1)[1].decode() not in output


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 403, "permission_denied"),
        ({"team": "nobody"}, 403, "permission_denied"),
        ({"team": "search", "models": {"a": 1}}, 403, "permission_denied"),
        ({"team": "search", "exp": int(time.time()) - 60}, 401, "invalid_api_key"),
        ({"team": "search", "aud": "https://other.test"}, 401, "invalid_api_key"),
        ({"team": "search", "number": 2}, 401, "invalid_api_key"),
        ({"team": "search", "kid": "../../k1"}, 401, "invalid_api_key"),
    ],
)
def test_what_is_refused_is_refused_before_the_body(
    house: House, changes: dict[str, object], status: int, code: str
) -> None:
    raw = token(sub="other", **changes)
    with house.gateway.client() as client:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {raw.decode()}\r\ncontent-length: 9999\r\n\r\n"
        client.send(head.encode())
        response = client.read()
    assert (response.status, response.error["code"]) == (status, code)
    assert raw not in response.body


def test_case_32_a_flood_from_one_address_holds_back_its_failures_alone(house: House) -> None:
    flooder, good = "203.0.113.66", token(sub="good", team="search")
    wrong = [house.post(b"sk-wrong-%04d-0123456789abcdef" % number, flooder) for number in range(FLOOD + 10)]
    assert [each.status for each in wrong[:FLOOD]] == [401] * FLOOD
    held = wrong[-1]
    assert (held.status, held.error["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(held.headers["retry-after-ms"]) <= 60_000 / FLOOD
    assert "retry-after" in held.headers
    # Good keys and tokens from there are taken, forged tokens are not, and others are not held back.
    assert house.post(KEY.encode(), flooder).status == 200
    assert house.post(good, flooder).status == 200
    assert house.post(token(sub="good", team="search", number=2), flooder).status == 429
    assert house.post(token(sub="good", team="search", number=2), "203.0.113.67").status == 401
    # One beginning, from many places.
    many = [house.post(b"sk-same-beginning-%d" % n, f"203.0.113.{n}") for n in range(100, 100 + FLOOD + 1)]
    assert {each.status for each in many[:FLOOD]} == {401}
    assert many[-1].status == 429


def test_case_43_an_issuer_in_trouble_stops_nobody_who_is_known(house: House) -> None:
    asked = len(house.jwks.asked)
    house.jwks.answer = house.jwks.hang
    started = time.monotonic()
    assert house.post(token(sub="known", team="search")).status == 200
    unknown = [house.post(token(sub="x", kid=f"unknown-{n}", number=2), f"203.0.114.{n}") for n in range(30)]
    assert {each.status for each in unknown} == {401}
    assert time.monotonic() - started < 10
    assert len(house.jwks.asked) - asked <= 1
    assert house.gateway.send("GET", "/health/ready").status == 200
    house.jwks.answer = answers(key_set(public_jwk("ES256")))


def test_a_mirror_gets_copies_of_calls_whose_levels_do_not_name_it(house: House) -> None:
    assert house.post(token(sub="copier", team="search"), model="copied").status == 200
    house.gateway.eventually(
        lambda: [
            row for row in house.gateway.rows() if row["model"] == "echo/the-copy" and row["status"] == 200
        ],
        "row of the copy",
    )


def test_case_42_a_reload_disables_a_user_at_once_and_keeps_the_issuers_keys(house: House) -> None:
    raw, other = token(sub="leaver", team="search"), token(sub="stayer", team="search")
    assert [house.post(each).status for each in (raw, other)] == [200, 200]
    asked = len(house.jwks.asked)
    house.gateway.write_config({**house.gateway.config, "users": {"leaver": {"disabled": True}}})
    reloaded = house.gateway.post("/admin/v1/reload", {}, key=MASTER)
    assert reloaded.status == 200
    assert [house.post(each).status for each in (raw, other)] == [401, 200]
    assert len(house.jwks.asked) == asked


@pytest.mark.slow
def test_case_43_it_starts_without_its_issuer(tmp_path, secrets) -> None:
    with JwksServer(answers(b"<html>", 503)) as jwks:
        issuer = {
            "issuer": ISSUER,
            "audience": "https://gateway.acme.test",
            "jwks_url": jwks.url,
            "algorithms": ["ES256"],
        }
        config = config_for({"echo": {}}, {})
        config["auth"] = {"jwt": [issuer]}
        with start_gateway(tmp_path, secrets, config) as gateway:
            answer = gateway.post(CHAT, chat_body("echo/echo"), key=token().decode())
            assert (answer.status, json.loads(answer.body)["error"]["code"]) == (401, "invalid_api_key")
            jwks.answer = answers(key_set(public_jwk("ES256")))
            gateway.eventually(
                lambda: gateway.post(CHAT, chat_body("echo/echo"), key=token().decode()).status == 200,
                "keys of the issuer",
                within=40,
            )
