"""Every kind of mistake: where it is reported, what is said, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.loader import load
from app.config.problems import ConfigError

KEY = "sk-0123456789abcdef"

MISTAKES = [
    # Keys.
    ("servr: {}", "1:1: servr: unknown key; did you mean `server`?"),
    ("server:\n  prot: 1\n", "2:3: server.prot: unknown key; did you mean `port`?"),
    ("server: {PORT: 1}", "1:10: server.PORT: unknown key; did you mean `port`?"),
    ("metrics: {zzz: 1}", "1:11: metrics.zzz: unknown key; known here: token"),
    ("providers: {openai: {timeouts: {conect: 1s}}}", "1:33: providers.openai.timeouts.conect: unknown key; did you mean `connect`?"),
    (f"auth: {{keys: [{{name: a, key: {KEY}, model: []}}]}}", "1:51: auth.keys[0].model: unknown key; did you mean `models`?"),
    ("server:\n  port: 1\n  port: 2\n", "3:3: server.port: this key stands here twice; the first one is in line 2"),
    ("server: {}\nserver: {}\n", "2:1: server: this key stands here twice; the first one is in line 1"),
    ("auth: {keys: [{name: a}]}", "1:15: auth.keys[0].key: is missing; this setting has no default"),
    (f"auth: {{keys: [{{key: {KEY}}}]}}", "1:15: auth.keys[0].name: is missing; this setting has no default"),
    ("server: {? [a] : b}", "1:12: server: a key must be a text"),
    ('server: {"": b}', "1:10: server: an empty key"),
    ('"${A}": b', "1:1: `${` in a key; only values are interpolated"),
    # Shapes.
    ("server: 1", "1:9: server: must be a mapping; write `key: value` lines below it"),
    ("server: [a]", "1:1: server: must be a mapping; write `key: value` lines below it"),
    ("providers: [openai]", "1:1: providers: must be a mapping; write `key: value` lines below it"),
    ("providers: {openai: sk-x}", "1:21: providers.openai: must be a mapping; write `key: value` lines below it"),
    ("server: {allowed_hosts: a.test}", "1:25: server.allowed_hosts: must be a list; write `[…]`, or lines that begin with `- `"),
    ("server: {host: [a]}", "1:10: server.host: must be a text"),
    ("server: {host: }", "1:15: server.host: must be a text"),
    ("server: {host: ''}", "1:16: server.host: must not be empty"),
    ("server: {port: }", "1:15: server.port: must be a whole number"),
    ("models: {fast: openai/a}", "1:16: models.fast: must be a list of targets; write `[openai/a]`"),
    ("logging: {level: INFO}", "1:18: logging.level: `INFO` is none of debug, info, warning, error; did you mean `info`?"),
    ("logging: {format: xml}", "1:19: logging.format: `xml` is none of json, console"),
    ("version: 2", "1:10: version: this program reads version 1; write `version: 1`"),
    ("storage: data.db", "1:10: storage: must be sqlite:///path or postgresql://…; such as `sqlite:///data/switchgear.db`"),
    ("storage: 'sqlite:///'", "1:10: storage: must be sqlite:///path or postgresql://…; such as `sqlite:///data/switchgear.db`"),
    # YAML.
    ("[a]", "1:1: the file must hold a mapping; write `key: value` lines"),
    ("text", "1:1: the file must hold a mapping; write `key: value` lines"),
    ("server: {}\n---\nserver: {}\n", "3:1: a second document; one file holds one; remove the `---`"),
    ("server:\n\tport: 1\n", "2:1: not valid YAML: while scanning for the next token, found character '\\t' that cannot start any token; indent with spaces, not tabs"),
    ("server: {port: 1", "1:9: not valid YAML: while parsing a flow mapping, expected ',' or '}', but got '<stream end>'"),
    ("server: {}\nauth: 'x\n", "2:7: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"),
    ("server: *nobody", "1:9: not valid YAML: found undefined alias 'nobody'"),
    ("server: !!python/name:os.system {}", "1:9: server: the tag `tag:yaml.org,2002:python/name:os.system` has no meaning here; remove it"),
    ("server: {port: !!int 1}", "1:16: server.port: the tag `tag:yaml.org,2002:int` has no meaning here; remove it"),
    ("server: {<<: 1}", "1:14: server: `<<` takes a mapping or a list of mappings"),
    ("a: \x01", "1:4: the character #x0001 is not allowed"),
    # Interpolation.
    ("server: {host: '${HOST_NAME}'}", "1:16: server.host: the environment variable HOST_NAME is not set; set it, or write ${HOST_NAME:-default}"),
    ("server: {host: '${HOST_NAME:?say where}'}", "1:16: server.host: say where; set HOST_NAME"),
    ("server:\n  host: ${HOST_NAME}\n", '2:9: server.host: `${` outside of quotes; put quotes around it: "${NAME}"'),
    ("server: {allowed_hosts: [${HOST_NAME}]}", '1:26: `${` outside of quotes; put quotes around it: "${NAME}"'),
    ("server: {host: ${HOST_NAME}}", '1:16: `${` outside of quotes; put quotes around it: "${NAME}"'),
    ("server:\n  host: ${HOST_NAME:-a: b}\n", '2:9: `${` outside of quotes; put quotes around it: "${NAME}"'),
    ("server:\n  host: |\n    ${HOST_NAME}\n", '2:9: server.host: `${` outside of quotes; put quotes around it: "${NAME}"'),
    ("server: {host: '${HOST_NAME'}", "1:16: server.host: a `${` without its `}`; the forms are ${NAME}, ${NAME:-default} and ${NAME:?message}; $${ is a literal ${"),
    # Providers.
    ("providers:\n  opnai: {}\n", "2:3: providers.opnai: is not in the catalogue and has no base_url; did you mean `openai`?"),
    ("providers: {acme: {}}", "1:13: providers.acme: is not in the catalogue and has no base_url; give the base_url of its API"),
    ("providers: {'a/b': {base_url: 'https://a.test'}}", "1:13: providers.a/b: `a/b` cannot be a provider's name; use letters, digits, `-`, `_` and `.`, and no `/`"),
    ("providers: {openai: {dialect: opena}}", "1:31: providers.openai.dialect: there is no dialect `opena`; did you mean `openai`?"),
    ("providers: {openai: {dialects: {'*-pro': response}}}", "1:42: providers.openai.dialects.*-pro: there is no dialect `response`; did you mean `responses`?"),
    ("providers: {openai: {headers: {Authorization: x}}}", "1:22: providers.openai.headers: `Authorization` is a credential's header; put the credential under `keys`"),
    ("providers: {openai: {headers: {Host: x}}}", "1:22: providers.openai.headers: `Host` cannot be set; name a header that is not part of how requests travel"),
    ("providers: {openai: {headers: {X-Title: é}}}", "1:22: providers.openai.headers: the value of `X-Title` cannot be sent; use printable ASCII characters"),
    ("providers: {openai: {options: {api_version: v1}}}", "1:45: providers.openai.options.api_version: the dialect `openai` has no option `api_version`; known: none"),
    ("providers: {openai: {keys: [{key: a, weight: 0}]}}", "1:46: providers.openai.keys[0].weight: must be at least 1"),
    ("providers: {openai: {keys: [a, {key: b, models: large}]}}", "1:49: providers.openai.keys[1].models: must be a list; write `[…]`, or lines that begin with `- `"),
    ("providers: {openai: {max_tokens: 0}}", "1:34: providers.openai.max_tokens: must be at least 1"),
    # Models.
    ("models: {a: []}", "1:10: models.a: has no targets; give at least one: [openai/gpt-4o-mini]"),
    ("models: {a: [opena/x]}", "1:14: models.a[0]: there is no provider `opena`; did you mean `openai`?"),
    ("models: {a: [zzz/x]}", "1:14: models.a[0]: there is no provider `zzz`; name it under `providers` with its base_url"),
    ("models: {a: [/x]}", "1:14: models.a[0]: `/x` is no target; write provider/model, such as `openai/gpt-4o-mini`"),
    ("models: {a: [openai/]}", "1:14: models.a[0]: `openai/` is no target; write provider/model, such as `openai/gpt-4o-mini`"),
    ("models: {fast: [echo/x], a: [fasst]}", "1:30: models.a[0]: there is no public model `fasst`; did you mean `fast`?"),
    ("models: {a: [gpt]}", "1:14: models.a[0]: there is no public model `gpt`; a target is provider/model: `openai/gpt`"),
    ("models: {a: [a]}", "1:10: models.a: leads back to itself: a → a; let one of them name targets alone"),
    ("models: {a: [b], b: [echo/x, c], c: [a]}", "1:10: models.a: leads back to itself: a → b → c → a; let one of them name targets alone"),
    ("models: {a: {targets: []}}", "1:10: models.a: has no targets; give at least one: [openai/gpt-4o-mini]"),
    ("models: {a: {limits: {rpm: 5}}}", "1:10: models.a: has no targets; give at least one: [openai/gpt-4o-mini]"),
    ("models: {a: }", "1:12: models.a: has no targets; give at least one: [openai/gpt-4o-mini]"),
    ("models: {a: ['']}", "1:14: models.a[0]: must not be empty"),
    ("models: {a: {targets: ['']}}", "1:24: models.a.targets[0]: must not be empty"),
    ("models: {a: {targets: [opena/x]}}", "1:24: models.a.targets[0]: there is no provider `opena`; did you mean `openai`?"),
    ("models: {a: {targets: openai/x}}", "1:23: models.a.targets: must be a list; write `[…]`, or lines that begin with `- `"),
    ("models: {a: {target: [openai/x]}}", "1:14: models.a.target: unknown key; did you mean `targets`?"),
    ("models: {a: {targets: [openai/x], queue: {max_wait: 5}}}", "1:53: models.a.queue.max_wait: `5` has no unit; write `5s` for seconds; the units are ms, s, m, h, d"),
    ("models: {a: [b], b: {targets: [a]}}", "1:10: models.a: leads back to itself: a → b → a; let one of them name targets alone"),
    ("models: {a/b: [echo/x]}", "1:10: models.a/b: a public model's name holds a `/`; such a name is always read as provider/model; choose one without `/`"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), MISTAKES)
def test_a_mistake_is_reported_at_its_place(complaints, text: str, line: str) -> None:
    assert complaints(text) == [f"config.yaml:{line}"]


DEEP = "models:\n" + "".join(f"  m{i}: [m{i + 1}]\n" for i in range(500)) + "  m500: [echo/x]\n"
WIDE = (
    "models:\n"
    + "".join(f"  m{i}: [{', '.join([f'm{i + 1}'] * 9)}]\n" for i in range(9))
    + "  m9: [echo/x]\n"
)


def test_a_chain_has_an_end_that_can_be_reached(complaints) -> None:
    assert complaints(DEEP)[0] == (
        "config.yaml:2:3: models.m0: leads through more than 16 models; name the targets themselves"
    )
    assert (
        complaints(WIDE)[-1] == "config.yaml:9:3: models.m7: stands for 81 targets; at most 64 can be tried"
    )


LATER = [
    *(f"server: {{{key}: 1}}" for key in ("cors",)),
    "logging: {content: true}",
]


@pytest.mark.parametrize("text", LATER)
def test_what_comes_later_is_refused_as_such(complaints, text: str) -> None:
    (line,) = complaints(text)
    assert "not available yet" in line
    assert "unknown" not in line


def test_all_problems_are_told_at_once_in_the_order_of_the_file(complaints) -> None:
    lines = complaints(
        "server: {prot: 1, drain: 5}\nauth: {master_key: '${UNSET}'}\n"
        "providers: {opnai: {}, acme: {base_url: 'http://10.0.0.1', exact: maybe}}\nmodels: {a: [acme/x, nobody/x], b: [c]}\n"
    )
    places = [line.split(": ")[0].removeprefix("config.yaml:") + " " + line.split(": ")[1] for line in lines]
    assert places == [
        "1:10 server.prot",
        "1:26 server.drain",
        "2:20 auth.master_key",
        "3:13 providers.opnai",
        "3:41 providers.acme.base_url",
        "3:67 providers.acme.exact",
        "4:22 models.a[1]",
        "4:37 models.b[0]",
    ]


def test_one_mistake_does_not_make_others(complaints) -> None:
    # The provider is broken, and yet it is there; the chain is no list, and yet its name is known.
    lines = complaints("providers: {acme: {base_url: 1, exact: maybe}}\nmodels: {a: [acme/x, b], b: x/y}\n")
    assert [line.split(": ")[1] for line in lines] == [
        "providers.acme.base_url",
        "providers.acme.exact",
        "models.b",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "an alias stands inside the value that it names"),
        ("server: &s\n  <<: *s\n", "an alias stands inside the value that it names"),
        ("server: " + "[" * 5000, "nested too deeply"),
        ("server: " + "{a: " * 100 + "}" * 100, "nested deeper than 64 levels"),
        ("# " + "x" * (1 << 20), "larger than 1048576 bytes"),
        ("\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30))]), "more than 100000 values"),
    ],
)  # fmt: skip
def test_a_file_cannot_make_us_build_without_end(complaints, text: str, said: str) -> None:
    (line,) = complaints(text)
    assert said in line


def test_a_file_that_is_no_text(complaints, tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes("# é\nserver: ".encode() + b"\xff\n")
    with pytest.raises(ConfigError, match=r"bytes.yaml:2:9: the file is not UTF-8"):
        load([tmp_path / "bytes.yaml"], {}, {})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.yaml: cannot be read: No such file"):
        load([tmp_path / "nothing.yaml"], {}, {})
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
        load([tmp_path], {}, {})


def test_a_file_that_is_missing_makes_nothing_else_unknown(complaints, tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text("models: {a: [acme/x]}")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path / "providers.yaml", good], {}, {})
    assert len(caught.value.problems) == 1
