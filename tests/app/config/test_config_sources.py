"""Files over files, variables over files, the command line over all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.config.loader import load
from app.config.models import Config
from app.config.problems import ConfigError


def test_nothing_at_all_is_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load([], {}, {})
    assert loaded.config == Config()
    assert [provider.name for provider in loaded.providers] == ["echo"]
    assert (loaded.files, loaded.warnings) == ((), ())


@pytest.mark.parametrize(
    "text", ["", "\n# only a comment\n", "null", "---\n", "server:\nauth:\nproviders:\nmodels:\nlogging: ~\n"]
)
def test_an_empty_file_is_the_defaults(loads, text: str) -> None:
    assert loads(text).config == Config()


def test_a_file_with_a_byte_order_mark(loads) -> None:
    assert loads("\ufeffserver: {port: 1}").config.server.port == 1


def test_config_yaml_of_the_working_directory_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("server: {port: 1}")
    Path("other.yaml").write_text("server: {port: 2}")
    assert load([], {}, {}).config.server.port == 1
    assert load([], {"SWITCHGEAR_CONFIG": "other.yaml"}, {}).config.server.port == 2
    assert (
        load([], {"SWITCHGEAR_CONFIG": os.pathsep.join(["other.yaml", "config.yaml"])}, {}).config.server.port
        == 1
    )
    assert load([Path("config.yaml")], {"SWITCHGEAR_CONFIG": "other.yaml"}, {}).config.server.port == 1
    assert load([], {"SWITCHGEAR_CONFIG": "other.yaml"}, {}).files == (Path("other.yaml"),)


def test_files_merge_mappings_and_replace_the_rest(loads) -> None:
    below = """
    server: {host: 0.0.0.0, port: 1, allowed_hosts: [a, b]}
    providers: {groq: {drop: [x], rename: {a: b}}, ollama: {}}
    models: {fast: [groq/a, ollama/b]}
    """
    above = """
    server: {port: 2, allowed_hosts: [c]}
    providers: {ollama: {exact: true}, groq: {rename: {c: d}}}
    models: {fast: [ollama/c]}
    """
    config = loads(below, above).config
    assert (config.server.host, config.server.port, config.server.allowed_hosts) == ("0.0.0.0", 2, ("c",))
    assert list(config.providers) == ["groq", "ollama"]
    assert config.providers["groq"].drop == ("x",)
    assert config.providers["groq"].rename == {"a": "b", "c": "d"}
    assert config.chains == {"fast": ("ollama/c",)}


def test_an_error_points_into_the_file_that_the_value_came_from(complaints) -> None:
    assert complaints("server:\n  port: x\n  host: h\n", "server:\n  host: ''\n") == [
        "config.yaml:2:9: server.port: `x` is no whole number; write digits alone, such as `4000`",
        "config2.yaml:2:9: server.host: must not be empty",
    ]
    assert complaints("server: {port: x}", "server: {port: 1}") == []


def test_anchors_aliases_and_merge_keys(loads) -> None:
    config = loads(
        """
        x-timeouts: &slow {connect: 1s, idle: 2s}
        x-more: &more {response: 3s, idle: 9s}
        providers:
          ollama: {timeouts: {<<: [*slow, *more], connect: 7s}}
          vllm: {timeouts: *slow}
        """
    ).config
    slow = config.providers["ollama"].timeouts
    assert (slow.connect, slow.idle, slow.response, slow.first_event) == (7, 2, 3, 120)
    assert config.providers["vllm"].timeouts.connect == 1


def test_top_level_x_keys_are_ignored_and_others_are_not(loads, complaints) -> None:
    assert loads("x-notes: {anything: ['${UNSET}', *a]}".replace("*a", "1")).config == Config()
    assert complaints("server: {x-notes: 1}") == [
        "config.yaml:1:10: server.x-notes: unknown key; known here: host, port, max_body, max_upload, max_inflight, overload, drain, drain_notice, stream_commit, write_stall, allowed_hosts, trusted_proxies"
    ]


def test_the_environment_lies_over_the_files_and_the_command_line_over_it(loads) -> None:
    text = "server: {host: file, port: 1, drain: 1s}"
    environ = {"SWITCHGEAR_SERVER__HOST": "environment", "SWITCHGEAR_SERVER__PORT": "2"}
    server = loads(
        text, environ=environ, overrides={"server.host": "line", "storage": "sqlite:///x"}
    ).config.server
    assert (server.host, server.port, server.drain) == ("line", 2, 1)


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("SERVER__MAX_BODY", "1KiB", ("server", "max_body"), 1024),
        ("SERVER__ALLOWED_HOSTS", "a.test, b.test", ("server", "allowed_hosts"), ("a.test", "b.test")),
        ("SERVER__ALLOWED_HOSTS", '["a.test"]', ("server", "allowed_hosts"), ("a.test",)),
        ("SERVER__ALLOWED_HOSTS", "", ("server", "allowed_hosts"), ()),
        ("SERVER__HOST", "${HOME}", ("server", "host"), "${HOME}"),
        ("LOGGING__LEVEL", "debug", ("logging", "level"), "debug"),
        ("MODELS__FAST", '["echo/a"]', ("chains",), {"fast": ("echo/a",)}),
        ("MODELS__FAST", '{"targets": ["echo/a"]}', ("chains",), {"fast": ("echo/a",)}),
        ("MODELS__FAST__TARGETS", "echo/a,echo/b", ("chains",), {"fast": ("echo/a", "echo/b")}),
        ("LEDGER__RETENTION", "90d", ("ledger", "retention"), 90 * 86400),
        ("MODELS__FAST", "echo/a,echo/b", ("chains",), {"fast": ("echo/a", "echo/b")}),
    ],
)
def test_a_variable_sets_one_setting(
    loads, name: str, value: str, path: tuple[str, ...], expected: object
) -> None:
    found: object = loads("", environ={f"SWITCHGEAR_{name}": value}).config
    for part in path:
        found = getattr(found, part)
    assert found == expected


def test_a_variable_reaches_into_providers(loads) -> None:
    environ = {
        "SWITCHGEAR_PROVIDERS__OPENAI__BASE_URL": "https://proxy.test/v1",
        "SWITCHGEAR_PROVIDERS__OPENAI__KEYS": "sk-from-the-variable",
        "SWITCHGEAR_PROVIDERS__MY_SERVER__TIMEOUTS__CONNECT": "1s",
        "SWITCHGEAR_PROVIDERS__MY_SERVER__RENAME": '{"a": "b", "n": "1"}',
        "SWITCHGEAR_PROVIDERS__MY_SERVER__EXACT": "true",
    }
    loaded = loads("providers: {My-Server: {base_url: 'https://a.test'}}", environ=environ)
    mine, openai = loaded.providers
    assert (mine.name, mine.timeouts.connect, mine.rename, mine.quirks.exact) == (
        "My-Server",
        1,
        {"a": "b", "n": "1"},
        True,
    )
    assert (openai.name, openai.base_url) == ("openai", "https://proxy.test/v1")
    assert [each.key.reveal() for each in openai.credentials] == ["sk-from-the-variable"]


def test_variables_reach_into_a_budget(loads) -> None:
    environ = {
        "SWITCHGEAR_PLANS__SMALL__BUDGET__AMOUNT": "20.50",
        "SWITCHGEAR_PLANS__SMALL__LIMITS__TPM": "1_000",
        "SWITCHGEAR_PLANS__LARGE__BUDGET": '[{"amount": 1.10, "per": "hour"}, {"amount": 2, "per": "day"}]',
        "SWITCHGEAR_PLANS__OTHER__BUDGET": '{"amount": "3", "per": "total"}',
    }
    plans = loads(
        "plans: {small: {budget: {amount: 10, per: day}, limits: {rpm: 5}}}", environ=environ
    ).config.plans
    assert [(each.amount, each.per) for each in plans["small"].budget] == [(20_500_000_000, "day")]
    assert plans["small"].limits.stated == {"rpm": 5, "tpm": 1000}
    assert [each.amount for each in plans["large"].budget] == [1_100_000_000, 2_000_000_000]
    assert [each.per for each in plans["other"].budget] == ["total"]


def test_a_variable_takes_whole_keys_as_json(loads) -> None:
    environ = {
        "SWITCHGEAR_AUTH__KEYS": '[{"name": "ci", "key": "sk-0123456789abcdef", "metadata": {"n": 7}, "expires": null}]'
    }
    (key,) = loads("", environ=environ).config.auth.keys
    assert (key.name, key.metadata, key.expires) == ("ci", {"n": "7"}, None)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SERVER__PROT", "1", "server.prot: names no setting; did you mean `SWITCHGEAR_SERVER__PORT`?"),
        ("SERVR__PORT", "1", "servr: names no setting; did you mean `SWITCHGEAR_SERVER__PORT`?"),
        ("PROVIDERS__OPENAI__BASEURL", "x", "providers.openai.baseurl: names no setting; did you mean `SWITCHGEAR_PROVIDERS__OPENAI__BASE_URL`?"),
        ("METRICS__ZZZ", "x", "metrics.zzz: names no setting; known here: SWITCHGEAR_METRICS__TOKEN"),
        ("SERVER__PORT__X", "1", "server.port.x: names no setting; it goes deeper than the settings do"),
        ("SERVER__WORKERS", "2", "server.workers: `workers` is not available yet; remove it"),
        ("LOGGING__CONTENT", "2", "logging.content: `content` is not available yet; remove it"),
        ("SERVER__PORT", "x", "server.port: `x` is no whole number; write digits alone, such as `4000`"),
        ("SERVER__ALLOWED_HOSTS", "[a", 'server.allowed_hosts: is not valid JSON, or holds a key twice; write ["a", "b"] or a,b'),
        ("PROVIDERS__OPENAI__RENAME", '{"a": "b", "a": "c"}', 'providers.openai.rename: is not valid JSON, or holds a key twice; write {"key": "value"}'),
        ("PROVIDERS__OPENAI__RENAME", "a=b", 'providers.openai.rename: is not valid JSON, or holds a key twice; write {"key": "value"}'),
        ("AUTH__KEYS", "[" * 900 + "]" * 900, 'auth.keys: is not valid JSON, or holds a key twice; write ["a", "b"] or a,b'),
        ("PLANS__SMALL__LIMITS__RPMM", "1", "plans.small.limits.rpmm: names no setting; did you mean `SWITCHGEAR_PLANS__SMALL__LIMITS__RPM`?"),
        ("PLANS__SMALL__LIMITS__RPM", "", "plans.small.limits.rpm: is blank, which is no limit; give a number such as `60`, or remove the key"),
        ("PLANS__SMALL__BUDGET__AMONT", "1", "plans.small.budget.amont: names no setting; did you mean `SWITCHGEAR_PLANS__SMALL__BUDGET__AMOUNT`?"),
        ("PROVIDERS__OLLAMA__BASE_URL", "ftp://x", "providers.ollama.base_url: the URL must begin with https:// or http://; such as `https://api.acme.test/v1`"),
    ],
)  # fmt: skip
def test_a_variable_that_is_wrong_is_named(complaints, name: str, value: str, complaint: str) -> None:
    assert complaints("", environ={f"SWITCHGEAR_{name}": value}) == [
        f"environment variable SWITCHGEAR_{name}: {complaint}"
    ]


def test_other_names_with_our_prefix_are_not_ours(loads) -> None:
    injected = {
        "SWITCHGEAR_SERVICE_HOST": "10.0.0.1",
        "SWITCHGEAR_PORT_4000_TCP": "tcp://x",
        "SWITCHGEAR_KEY": "k",
    }
    assert loads("", environ=injected).config == Config()


def test_a_wrong_option_is_named(complaints) -> None:
    assert complaints("", overrides={"server.hots": "x"}) == [
        "command line: server.hots: names no setting; did you mean `server.host`?"
    ]


def test_the_master_key_comes_from_its_variable_unless_that_is_empty(loads) -> None:
    text = "auth: {master_key: sk-of-the-file-0123456789}"
    assert (
        loads(text, environ={"SWITCHGEAR_MASTER_KEY": ""})
        .config.auth.master_key.reveal()
        .startswith("sk-of-the-file")
    )
    assert (
        loads(text, environ={"SWITCHGEAR_MASTER_KEY": "sk-of-the-variable"}).config.auth.master_key.reveal()
        == "sk-of-the-variable"
    )
    assert not loads("auth: {master_key: '${NONE:-}'}").config.auth.master_key


def test_an_error_holds_its_problems(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("server: {prot: 1}")
    with pytest.raises(ConfigError) as caught:
        load([file], {}, {})
    (problem,) = caught.value.problems
    assert (problem.mark.source, problem.mark.line, problem.mark.column) == (str(file), 1, 10)
    assert (problem.path, problem.message, problem.hint) == (
        ("server", "prot"),
        "unknown key",
        "did you mean `port`?",
    )
