"""`explain`, `models`, `providers`: where a call would go, and why."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.config import extras
from tests.harness.gateway import free_port
from tests.harness.secrets import canary

CONFIGURATION = """
auth:
  keys:
    - {name: ci, key: "${CI_KEY}", models: [fast]}
    - {name: old, key: "${OLD_KEY}", expires: 2020-01-01}
providers:
  openai:
  anthropic:
  acme: {base_url: "https://api.acme.test:8443/v1", models: [acme-1, "acme-*"]}
models:
  fast: [openai/gpt-4o-mini, anthropic/claude-haiku-4-5]
"""
CI_KEY = "sk-cli-routing-ci-0123456789"
OLD_KEY = "sk-cli-routing-old-0123456789"


@pytest.fixture
def env(secrets, write):
    write(CONFIGURATION)
    return {
        "CI_KEY": secrets.plant(CI_KEY),
        "OLD_KEY": secrets.plant(OLD_KEY),
        "OPENAI_API_KEY": canary("OPENAI_API_KEY"),
        "ANTHROPIC_API_KEY": canary("ANTHROPIC_API_KEY"),
    }


@pytest.mark.parametrize(
    ("model", "rule", "targets"),
    [
        (
            "fast",
            "`fast` stands under `models`",
            [
                "1    openai     gpt-4o-mini       openai     api.openai.com     as listed",
                "2    anthropic  claude-haiku-4-5  anthropic  api.anthropic.com  as listed",
            ],
        ),
        (
            "acme/large",
            "`acme` is a provider",
            ["1    acme      large           openai   api.acme.test:8443  the only one"],
        ),
        (
            "claude-x",
            "`anthropic` claims `claude-*`",
            ["1    anthropic  claude-x        anthropic  api.anthropic.com  the only one"],
        ),
    ],
)
def test_explain_tells_the_rule_and_the_targets_in_order(sg, env, model, rule, targets):
    said = sg("explain", "--model", model, env=env)
    assert said.code == 0
    assert rule in said.out
    assert said.out.splitlines()[-len(targets) :] == targets


def test_explain_tells_the_balance_its_reasons_and_what_follows(sg, env, write):
    write(
        CONFIGURATION.replace(
            "  acme: {", "  acme: {region: eu, prices: {'*': {input_mtok: 2, output_mtok: 4}}, "
        )
        + "  smart:\n    targets: [acme/large, {target: fast, weight: 3}]\n    balance: cost\n"
        "    fallback: {default: [acme/old], rate_limit: [openai/gpt-4o]}\n    sticky: session\n"
        "    mirror: {target: acme/next, share: 0.05}\n"
    )
    said = sg("explain", "--model", "smart", env=env)
    assert said.code == 0, said.err
    for words in (
        "balance    cost, here of 1,000 tokens in and 500 out",
        "sticky     by session",
        "mirror     acme/next, 0.05 of the calls",
        "after default     acme/old",
        "after rate_limit  openai/gpt-4o",
    ):
        assert words in said.out
    rows = [line for line in said.out.splitlines() if line[:1].isdigit()]
    assert [row.split()[1] for row in rows] == ["openai", "anthropic", "acme"]
    assert rows[0].endswith("for such a call; in fast: as listed")
    assert rows[2].endswith("$0.004 for such a call")


def test_explain_tells_what_a_key_s_region_leaves_out(sg, env, write):
    limited = CONFIGURATION.replace("models: [fast]", "regions: [eu]").replace(
        "acme: {", "acme: {region: eu, "
    )
    write(limited + "  mixed: [openai/gpt-4o, acme/large]\n")
    said = sg("explain", "--model", "mixed", "--key", "ci", env=env)
    assert "skipped  openai/gpt-4o: is in no region that this key may use" in said.out
    refused = sg("explain", "--model", "fast", "--key", "ci", env=env)
    assert refused.code == 1
    assert "403 region_not_allowed" in refused.err


def test_explain_tells_what_is_left_out(sg, env):
    said = sg("explain", "--model", "fast", "--operation", "embeddings", env=env)
    assert said.code == 0
    assert "skipped  anthropic/claude-haiku-4-5: does not serve embeddings" in said.out


def test_explain_tells_of_a_target_whose_provider_is_off(sg, env):
    del env["ANTHROPIC_API_KEY"]
    said = sg("explain", "--model", "fast", env=env)
    assert said.code == 0
    assert "skipped  anthropic/claude-haiku-4-5" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "fast", "--key", "ci"], 0, "ci may use it"),
        (["--model", "acme/x", "--key", "ci"], 1, "may not use the model `acme/x`"),
        (["--model", "fast", "--key", "old"], 1, "`old` has expired"),
        (["--model", "fast", "--key", "cii"], 1, "did you mean `ci`?"),
        (["--model", "nothing-like-it"], 1, "does not exist here"),
        (["--model", "claude-x", "--operation", "embeddings"], 1, "does not serve embeddings"),
        (["--model", "claude-x", "--operation", "dance"], 1, "dance"),
        ([], 2, "--model"),
    ],
)
def test_explain_says_whether_a_call_may_be_made(sg, env, arguments, code, words):
    said = sg("explain", *arguments, env=env)
    assert said.code == code
    assert words in (said.out if code == 0 else said.err)


def test_explain_knows_stored_keys_by_name(sg, env):
    made = sg("keys", "create", "reader", "--models", "acme/*", env=env)
    assert made.code == 0
    assert "reader may use it" in sg("explain", "--model", "acme/x", "--key", "reader", env=env).out
    refused = sg("explain", "--model", "fast", "--key", "reader", env=env)
    assert refused.code == 1
    sg("keys", "revoke", "reader", env=env)
    assert sg("explain", "--model", "acme/x", "--key", "reader", env=env).code == 1


def test_looking_makes_no_database(sg, env, folder):
    for command in (
        ["explain", "--model", "fast", "--key", "x"],
        ["keys", "list"],
        ["keys", "revoke", "x"],
        ["usage"],
    ):
        sg(*command, env=env)
    assert not (folder / "data").exists()


def test_models_lists_names_and_owners(sg, env):
    said = sg("models", env=env)
    assert said.code == 0
    assert [line.split() for line in said.out.splitlines()] == [
        ["model", "owned", "by", "context", "output", "$/M", "in", "$/M", "out"],
        ["fast", "switchgear", "128,000", "16,384", "0.15", "0.6"],
        ["openai/gpt-4o-mini", "openai", "128,000", "16,384", "0.15", "0.6"],
        ["anthropic/claude-haiku-4-5", "anthropic", "200,000", "64,000", "1", "5"],
        ["acme/acme-1", "acme", "-", "-", "-", "-"],
    ]
    first = json.loads(sg("models", "--json", env=env).out)[0]
    assert (first["id"], first["owned_by"], first["input_modalities"]) == (
        "fast",
        "switchgear",
        ["file", "image", "text"],
    )


def test_models_asks_providers_for_their_lists_where_it_is_told_to(sg, write, secrets):
    secrets.plant(CREDENTIAL)
    with answering(200, b'{"data": [{"id": "new", "context_length": 9000}]}') as (url, _):
        env = configured(write, url)
        asked = sg("models", "--ask", "--json", env=env)
        quiet = sg("models", "--json", env=env)
    assert (asked.code, asked.err) == (0, "")
    assert json.loads(asked.out) == [
        {"id": "acme/new", "owned_by": "acme", "context_window": 9000, "listed": True}
    ]
    assert (quiet.code, json.loads(quiet.out)) == (0, [])
    assert "what providers list is not shown" in quiet.err
    broken = sg("models", "--ask", env=configured(write, f"http://127.0.0.1:{free_port()}"))
    assert "acme gave no list of its models (Unreachable)" in broken.err


def test_providers_says_what_is_on_and_why(sg, env):
    env["GROQ_API_KEY"] = ""
    rows = {row["name"]: row for row in json.loads(sg("providers", "--json", env=env).out)}
    assert rows["openai"] == {
        "name": "openai",
        "why": "OPENAI_API_KEY is set",
        "dialect": "openai",
        "base_url": "https://api.openai.com/v1",
        "on": True,
        "credentials": 1,
        "live": None,
    }
    assert (rows["acme"]["on"], rows["acme"]["credentials"]) == (True, 0)
    assert (rows["groq"]["on"], rows["groq"]["why"]) == (False, "set GROQ_API_KEY")
    assert (rows["ollama"]["on"], rows["echo"]["on"]) == (False, False)
    table = sg("providers", env=env).out.splitlines()
    assert [line.split()[:2] for line in table[1:4]] == [
        ["openai", "on"],
        ["anthropic", "on"],
        ["acme", "on"],
    ]


def test_providers_without_any_key_says_that_echo_stands_in(sg):
    rows = {row["name"]: row for row in json.loads(sg("providers", "--json").out)}
    assert [name for name, row in rows.items() if row["on"]] == ["echo"]
    assert rows["echo"]["why"] == "no other provider is on"


@contextmanager
def answering(
    status: int, body: bytes, **headers: str
) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Serve this one answer on loopback; give its address and the requests as they come."""
    seen: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CREDENTIAL = "sk-cli-upstream-0123456789abcdef"


def configured(write, url: str, dialect: str = "openai") -> dict[str, str]:
    write(
        "providers:\n  acme:\n    keys: ['${ACME_KEY}']\n    allow_private: true\n"
        f"    base_url: {url}/v1\n    dialect: {dialect}\n"
    )
    return {"ACME_KEY": CREDENTIAL}


def test_a_provider_that_answers_well_is_ok(sg, write, secrets):
    secrets.plant(CREDENTIAL)
    both = {
        "data": [{"id": "vectors", "type": "embedding"}, {"id": "a"}],
        "choices": [{"message": {"role": "assistant", "content": "OK"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1},
    }
    with answering(200, json.dumps(both).encode()) as (url, seen):
        said = sg("providers", "test", "acme", env=configured(write, url))
        named = sg("providers", "test", "acme", "--model", "b", env=configured(write, url))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("acme ok: 2 models, `a` answered with 10 tokens; ")
    assert said.out.endswith(" ms\n")
    assert "`b` answered" in named.out
    assert [path for path, _ in seen[:2]] == ["/v1/models", "/v1/chat/completions"]
    assert all(headers["authorization"] == f"Bearer {CREDENTIAL}" for _, headers in seen)


def test_a_provider_whose_models_do_not_answer_is_told_apart(sg, write, secrets):
    secrets.plant(CREDENTIAL)
    with answering(200, b'{"data": [{"id": "a"}]}') as (url, _):
        said = sg("providers", "test", "acme", env=configured(write, url))
    assert (said.code, said.out) == (1, "")
    assert "acme 1 models, but `a` answered with something else than an answer" in said.err
    with answering(200, b'{"data": []}') as (url, _):
        said = sg("providers", "test", "acme", env=configured(write, url))
    assert "0 models, none of which was called: name one with --model" in said.out


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            401,
            b'{"error": {"message": "Incorrect API key: %s"}}' % CREDENTIAL.encode(),
            "refused the credential",
        ),
        (403, b"no", "refused the credential"),
        (404, b"nothing", "check base_url"),
        (429, b'{"error": {"code": "insufficient_quota"}}', "out of money or quota"),
        (500, CREDENTIAL.encode(), "failed (HTTP 500)"),
        (200, b"<html>", "check base_url"),
        (200, b'{"data": 3}', "check base_url"),
        (302, b"", "redirects"),
    ],
)
def test_a_provider_that_does_not_is_told_apart_and_its_words_are_not_shown(
    sg, write, secrets, status, body, words
):
    secrets.plant(CREDENTIAL)
    with answering(status, body, Location="http://127.0.0.1:9/") as (url, _):
        said = sg("providers", "test", "acme", env=configured(write, url))
    assert (said.code, said.out) == (1, "")
    assert words in said.err
    assert len(said.err.splitlines()) == 1


def test_a_provider_that_nobody_serves_is_unreachable(sg, write, secrets):
    secrets.plant(CREDENTIAL)
    said = sg("providers", "test", "acme", env=configured(write, f"http://127.0.0.1:{free_port()}"))
    assert said.code == 1
    assert said.err.startswith("switchgear: acme unreachable")


def test_the_embedded_provider_has_nothing_to_reach(sg):
    assert sg("providers", "test", "echo").code == 0


def test_a_provider_that_is_off_cannot_be_tested(sg):
    said = sg("providers", "test", "openai")
    assert said.code == 1
    assert "no provider `openai` is on" in said.err


def test_a_provider_whose_credential_cannot_be_made_is_not_asked(sg, write, monkeypatch):
    # Whether the library is not installed here or finds no such profile.
    monkeypatch.setattr(extras, "find_spec", lambda _: "there")
    with answering(200, b'{"modelSummaries": []}') as (url, seen):
        write(
            f"providers: {{acme: {{base_url: '{url}', dialect: bedrock, auth: aws, identity: nobody, "
            "allow_private: true, options: {region: eu-west-1}}}\n"
        )
        said = sg("providers", "test", "acme")
    assert (said.code, seen) == (1, [])
    assert said.err.startswith("switchgear: acme was not asked: no credential could be made: ")


MASTER = "sk-cli-master-0123456789abcdef"


def test_providers_says_why_it_shows_no_states(sg, env):
    said = sg("providers", env=env)
    assert (said.code, said.err) == (
        0,
        "states are not shown: asking a running gateway takes its master key (SWITCHGEAR_MASTER_KEY)\n",
    )
    port = free_port()
    env |= {"SWITCHGEAR_MASTER_KEY": MASTER, "SWITCHGEAR_SERVER__PORT": str(port)}
    said = sg("providers", "--json", env=env)
    assert (said.code, said.err) == (0, f"states are not shown: no gateway answers at 127.0.0.1:{port}\n")
    assert {row["live"] for row in json.loads(said.out)} == {None}


def test_nobody_else_who_listens_there_gets_the_master_key(sg, env, secrets):
    secrets.plant(MASTER)
    with answering(200, b"hello") as (url, seen):
        port = url.rpartition(":")[2]
        env |= {"SWITCHGEAR_MASTER_KEY": MASTER, "SWITCHGEAR_SERVER__PORT": port}
        said = sg("providers", env=env)
    assert said.code == 0
    assert "is no gateway that is ready" in said.err
    assert [path for path, _ in seen] == ["/health/ready"]
    assert MASTER not in repr(seen)


def test_each_key_of_a_provider_is_tested(sg, write, secrets):
    secrets.plant(CREDENTIAL)
    with answering(200, b'{"data": []}') as (url, seen):
        write(
            f"providers: {{acme: {{base_url: '{url}/v1', allow_private: true, "
            "keys: ['${ACME_KEY}', '${ACME_KEY}-2']}}\n"
        )
        said = sg("providers", "test", "acme", env={"ACME_KEY": CREDENTIAL})
    assert [line.split(";")[0] for line in said.out.splitlines()] == [
        "acme keys[0] ok: 0 models, none of which was called: name one with --model",
        "acme keys[1] ok: 0 models, none of which was called: name one with --model",
    ]
    assert [headers["authorization"] for _, headers in seen] == [
        f"Bearer {CREDENTIAL}",
        f"Bearer {CREDENTIAL}-2",
    ]
