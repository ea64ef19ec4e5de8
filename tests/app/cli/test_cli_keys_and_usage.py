"""`keys` and `usage`: what the database holds, beside a running gateway and without one."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from datetime import UTC, datetime

import pytest

from app.store.calls import CallStore
from app.store.database import Database
from app.telemetry.record import AttemptRecord
from tests.harness.gateway import Gateway, chat_body

STATIC = "sk-cli-keys-static-0123456789"


def test_a_created_key_stands_alone_on_standard_output(sg, folder):
    said = sg("keys", "create", "app", "--models", "fast, openai/*", "--expires", "30d")
    assert said.code == 0
    (key,) = said.out.splitlines()
    assert key.startswith("sk-")
    assert len(key) > 40
    assert key not in said.err
    assert "`app` may use fast, openai/* until 20" in said.err
    (row,) = json.loads(sg("keys", "list", "--json").out)
    assert (row["name"], row["state"], row["hint"]) == ("app", "live", key[-4:])
    assert row["models"] == ["fast", "openai/*"]
    ends = datetime.fromisoformat(row["expires"]).timestamp()
    assert ends == pytest.approx(time.time() + 30 * 86400, abs=60)
    assert key.encode() not in (folder / "data" / "switchgear.db").read_bytes()


def test_keys_are_listed_from_database_and_configuration(sg, write, secrets):
    write(f"auth: {{keys: [{{name: static, key: {secrets.plant(STATIC)}, expires: 2020-01-01}}]}}")
    secrets.plant(sg("keys", "create", "one").out.strip())
    secrets.plant(sg("keys", "create", "two", "--expires", "2099-01-01").out.strip())
    assert sg("keys", "revoke", "one").code == 0
    lines = [line.split() for line in sg("keys", "list").out.splitlines()]
    assert [(line[0], line[1], line[-1]) for line in lines[1:]] == [
        ("static", "expired", "configuration"),
        ("one", "revoked", "database"),
        ("two", "live", "database"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["create", "app"], 1, "a key named 'app' exists"),
        (["create", "static"], 1, "belongs to a key of the configuration"),
        (["create", "master"], 1, "belongs to a key of the configuration"),
        (["create", "a\nb"], 1, "printable"),
        (["create", "x", "--models", "a,,b"], 2, "a name is empty"),
        (["create", "x", "--expires", "2020-01-01"], 2, "is in the past"),
        (["create", "x", "--expires", "soon"], 2, "write a duration"),
        (["create", "x", "--expires", "999999999d"], 2, "calendar"),
        (["create"], 2, "NAME"),
        (["revoke", "apq"], 1, "did you mean `app`?"),
        (["revoke", "static"], 1, "take it out of `auth.keys`"),
    ],
)
def test_what_cannot_be_done_with_keys_says_why(sg, write, secrets, arguments, code, words):
    write(f"auth: {{keys: [{{name: static, key: {secrets.plant(STATIC)}}}]}}")
    assert sg("keys", "create", "app").code == 0
    said = sg("keys", *arguments)
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert len(json.loads(sg("keys", "list", "--json").out)) == 2


def test_a_database_that_is_none_is_one_clear_line(process, folder, write):
    write("storage: 'sqlite:///broken.db'")
    (folder / "broken.db").write_text("no database" * 1000)
    for command in (["keys", "list"], ["usage"]):
        said = process(*command)
        assert (said.code, said.out) == (1, "")
        assert said.err == "switchgear: file is not a database\n"


# Usage


@pytest.fixture
def three_calls(folder, record):
    """Two priced calls, and one whose cost nobody knows, with a name that a spreadsheet would run."""

    async def fill() -> None:
        database = await Database.open("sqlite:///data/switchgear.db")
        calls = [
            record(1),
            record(2, cost="0.5"),
            record(3, model="=1+1\x1b[31m", provider="acme", cost=None),
        ]
        await CallStore(database).insert_calls(calls, "test.spool", 1)
        await database.close()

    asyncio.run(fill())


@pytest.mark.usefixtures("three_calls")
def test_usage_sums_and_never_takes_an_unknown_cost_for_nothing(sg):
    by_provider = {
        row["provider"]: row for row in json.loads(sg("usage", "--by", "provider", "--format", "json").out)
    }
    assert by_provider["openai"]["cost"] == "0.75"
    assert by_provider["openai"]["input_tokens"] == 20
    assert by_provider["acme"]["cost"] is None
    table = sg("usage", "--by", "provider").out
    assert "unknown" in next(line for line in table.splitlines() if line.startswith("acme"))
    rows = list(csv.DictReader(io.StringIO(sg("usage", "--by", "provider,day", "--format", "csv").out)))
    assert [(row["provider"], row["day"], row["cost"]) for row in rows] == [
        ("acme", "2026-11-03", "unknown"),
        ("openai", "2026-11-01", "0.25"),
        ("openai", "2026-11-02", "0.5"),
    ]


@pytest.mark.usefixtures("three_calls")
def test_usage_takes_a_time_and_a_name(sg):
    def ids(*arguments: str) -> list[str]:
        return [
            each["request_id"]
            for each in json.loads(sg("usage", "--list", "--format", "json", *arguments).out)
        ]

    assert ids() == ["req-3", "req-2", "req-1"]
    assert ids("--limit", "1") == ["req-3"]
    assert ids("--since", "2026-11-02") == ["req-3", "req-2"]
    assert ids("--until", "2026-11-01T12:00:01Z") == ["req-1"]
    assert ids("--provider", "acme") == ["req-3"]
    assert ids("--model", "fast", "--since", "2026-11-02") == ["req-2"]
    assert ids("--key", "nobody") == []
    assert ids("--since", "1s") == []
    assert sg("usage", "--since", "1s").out == "No calls in this time.\n"


@pytest.fixture
def tagged_calls(folder, record):
    """The same model at two providers, one of them dearer and slower, for two projects of one plan."""

    def tried(provider: str, milliseconds: float, nano: int) -> list[AttemptRecord]:
        tokens = {"input_tokens": 10, "output_tokens": 5, "cost_nano": nano, "ttft_ms": milliseconds / 2}
        return [
            AttemptRecord(
                provider=provider,
                model="m",
                outcome="success",
                status=200,
                duration_ms=milliseconds,
                **tokens,
            )
        ]

    async def fill() -> None:
        database = await Database.open("sqlite:///data/switchgear.db")
        near = {
            "provider": "near",
            "tries": tried("near", 100.0, 1_000_000),
            "cost": "0.001",
            "cost_nano": 1_000_000,
        }
        far = {
            "provider": "far",
            "tries": tried("far", 900.0, 3_000_000),
            "cost": "0.003",
            "cost_nano": 3_000_000,
        }
        calls = [
            record(1, tags={"project": "a"}, plan="small", duration_ms=100.0, **near),
            record(2, tags={"project": "b"}, plan="small", duration_ms=900.0, **far),
            record(3, tags={"project": "a"}, plan="small", duration_ms=100.0, **near),
        ]
        await CallStore(database).insert_calls(calls, "test.spool", 1)
        await database.close()

    asyncio.run(fill())


@pytest.mark.usefixtures("tagged_calls")
def test_usage_sums_by_tag_and_plan(sg):
    by_project = json.loads(sg("usage", "--by", "plan,tag:project", "--format", "json").out)
    assert [(row["plan"], row["tag:project"], row["calls"], row["cost"]) for row in by_project] == [
        ("small", "a", 2, "0.002"),
        ("small", "b", 1, "0.003"),
    ]
    (only,) = json.loads(sg("usage", "--tag", "project=b", "--format", "json").out)
    assert only["calls"] == 1
    assert sg("usage", "--tag", "project").code == 2
    assert "`projct` is none of" in sg("usage", "--by", "projct").err


@pytest.mark.usefixtures("tagged_calls")
def test_a_model_is_compared_at_its_providers(sg):
    rows = {
        row["provider"]: row for row in json.loads(sg("models", "--compare", "fast", "--format", "json").out)
    }
    assert set(rows) == {"near", "far"}
    assert rows["near"]["calls"] == 2
    # Percentiles come from logarithmic buckets, which are up to 5 % off.
    assert rows["near"]["latency_p50_ms"] == pytest.approx(100, rel=0.05)
    assert rows["far"]["latency_p50_ms"] == pytest.approx(900, rel=0.05)
    table = sg("models", "--compare", "fast").out
    assert "near" in table
    assert "far" in table


@pytest.mark.usefixtures("three_calls")
def test_a_list_of_calls_is_safe_to_look_at_and_to_open(sg):
    table = sg("usage", "--list").out
    assert "\x1b" not in table
    assert "unknown" in table.splitlines()[1]
    (first, *_) = csv.DictReader(io.StringIO(sg("usage", "--limit", "1", "--format", "csv").out))
    assert first["model"].startswith("'=1+1")
    assert first["cost"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "colour"], "`colour` is none of key, model, provider, day"),
        (["--since", "yesterday"], "write a duration"),
        (["--since", "2026-13-01"], "write a duration"),
        (["--since", "2026-11-02", "--until", "2026-11-01"], "is not after --since"),
        (["--limit", "0"], "--limit"),
        (["--format", "xml"], "--format"),
    ],
)
def test_usage_refuses_what_it_cannot_answer(sg, arguments, words):
    said = sg("usage", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


# Beside a running gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, secrets):
    with Gateway({"providers": {"echo": {}}}, tmp_path_factory.mktemp("gateway"), secrets) as running:
        yield running


@pytest.fixture
def beside(gateway, monkeypatch, sg):
    """Run a command in the folder of a running gateway, with its configuration."""
    monkeypatch.chdir(gateway.directory)
    monkeypatch.setenv("SWITCHGEAR_SERVER__PORT", str(gateway.port))
    return sg


@pytest.mark.slow
def test_a_running_gateway_takes_and_drops_a_key_within_a_second(gateway, beside):
    key = beside("keys", "create", "visitor").out.strip()

    def status() -> int:
        return gateway.post("/v1/chat/completions", chat_body("echo/x"), key=key).status

    gateway.eventually(lambda: status() == 200, "the new key", within=3.0)
    assert beside("keys", "revoke", "visitor").code == 0
    gateway.eventually(lambda: status() == 401, "the end of the key", within=3.0)


def test_usage_shows_the_calls_of_a_running_gateway(gateway, beside):
    key = beside("keys", "create", "counted").out.strip()
    sent = [chat_body("echo/x", prompt) for prompt in ("one", "two")]
    gateway.eventually(
        lambda: gateway.post("/v1/chat/completions", sent[0], key=key).status == 200, "the key", 3.0
    )
    assert gateway.post("/v1/chat/completions", sent[1], key=key).status == 200

    def rows() -> list[dict]:
        return json.loads(beside("usage", "--by", "key,model", "--key", "counted", "--format", "json").out)

    gateway.eventually(lambda: rows() and rows()[0]["calls"] == 2, "both calls")
    (row,) = rows()
    assert (row["key"], row["model"]) == ("counted", "echo/x")
    assert datetime.now(UTC).strftime("%Y-%m-%d") in beside("usage", "--list", "--key", "counted").out


def test_the_health_of_a_running_gateway(gateway, beside, folder):
    assert beside("healthcheck") == (0, "ready\n", "")
    assert beside("healthcheck", "--url", gateway.base_url) == (0, "ready\n", "")
    report = {each["subject"]: each for each in json.loads(beside("doctor", "--json").out)}
    assert report["port"]["level"] == "ok"
    assert "a gateway answers" in report["port"]["found"]
    assert report["database"]["level"] == "ok"
