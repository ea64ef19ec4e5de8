"""The admin API against anything: every route takes hostile input without failing, and answers as it is described."""

from __future__ import annotations

import json
import random
import re
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from app.auth.making import make_key
from app.config.identities import KeySettings
from tests.app.api.office import Office, key_of, open_office

METHODS = ("get", "post", "patch", "put", "delete")
REQUESTS = 1500
WORDS = (
    *(
        "",
        "fast",
        "openai/*",
        "red",
        "ann",
        "small",
        "high",
        "day",
        "0.10",
        "2089-01-01",
        "admin",
        "1h",
        "60",
    ),
    *("\x00", "\U0001f600", "%" * 300, "a" * 5000, "'; DROP TABLE keys", "${HOME}", "-1", "1e999", "NaN"),
    *("key,day", "tag:a", "user", "0001-01-01", "9999-12-31T23:59:59-23:59"),
)
SCALARS = (None, True, False, 0, 1, -1, 0.1, 1e300, 2**63 - 1, 60, *WORDS)
FIELDS = (
    *KeySettings.model_fields,
    "name",
    "grace",
    "key",
    "weight",
    "rpm",
    "tpm",
    "amount",
    "per",
    "notify",
    "timezone",
    "x",
)
IDS = ("1", "2", "0", "-1", "999", str(2**31), str(2**70), "x", "%00", "1%2f2")


def value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.random()
    if depth > 3 or kind < 0.6:
        return dice.choice(SCALARS)
    if kind < 0.8:
        return [value(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice(FIELDS): value(dice, depth + 1) for _ in range(dice.randrange(5))}


def body(dice: random.Random) -> bytes:
    """Give a body, mostly one that is nearly right."""
    right = {"name": f"key-{dice.random()}", "limits": {"rpm": 5}, "budget": {"amount": 1, "per": "day"}}
    fields = {dice.choice(FIELDS): value(dice) for _ in range(dice.randrange(3))}
    whole = {name: each for name, each in right.items() if dice.random() < 0.5} | fields
    return json.dumps(whole if dice.random() < 0.9 else value(dice)).encode()


def operations(office: Office) -> list[tuple[str, str, dict[str, Any]]]:
    paths = office.pages.openapi()["paths"]
    return [
        (method, path, described[method])
        for path, described in paths.items()
        if path.startswith("/admin")
        for method in METHODS
        if method in described
    ]


def check(office: Office, described: dict[str, Any], answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        return
    schema = described["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": office.pages.openapi()["components"]})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_case_52_no_input_makes_a_route_fail(database, seed):
    dice = random.Random(seed)
    statuses = set()
    async with open_office(database) as office:
        for name in ("one", "two"):
            await office.store.create_key(make_key(name, KeySettings(team="red"))[1], 1.0)
        every = operations(office)
        for _ in range(REQUESTS):
            method, path, described = dice.choice(every)
            where = re.sub(r"\{name\}", lambda _: dice.choice((*IDS, "openai")), path)
            where = re.sub(r"\{\w+\}", lambda _: dice.choice(IDS), where)
            names = [each["name"] for each in described.get("parameters", ()) if each["in"] == "query"]
            query = "&".join(f"{name}={quote(dice.choice(WORDS))}" for name in names if dice.random() < 0.4)
            headers = {"authorization": f"Bearer {key_of('admin')}", "content-type": "application/json"}
            content = body(dice) if method in {"post", "patch"} else None
            answer = await office.client.request(method, f"{where}?{query}", content=content, headers=headers)
            check(office, described, answer)
            statuses.add(answer.status_code)
    assert statuses >= {200, 201, 400, 404}
