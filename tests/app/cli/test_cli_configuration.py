"""`check`, `init`, `diff`, `schema`: commands about the configuration itself."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from providers.catalog import CATALOG
from providers.registry import DIALECTS
from tests.harness.secrets import canary

KEY = "sk-cli-config-0123456789abcdef"
OTHER = "sk-cli-config-fedcba9876543210"


@pytest.fixture(autouse=True)
def planted(secrets):
    secrets.plant(KEY)
    secrets.plant(OTHER)


def test_a_good_configuration_is_told_in_full(sg, write):
    write(
        f"""
        server: {{port: 4100}}
        auth: {{keys: [{{name: ci, key: {KEY}}}]}}
        providers:
          openai: {{keys: ["${{OPENAI_API_KEY}}"]}}
          anthropic:
          acme: {{base_url: "https://api.acme.test/v1"}}
        models: {{fast: [openai/gpt-4o-mini, acme/large]}}
        """
    )
    said = sg("check", env={"OPENAI_API_KEY": canary("OPENAI_API_KEY")})
    assert said.code == 0
    assert said.err == ""
    for part in (
        "config.yaml: ok",
        "127.0.0.1:4100",
        "ci",
        "openai (api.openai.com)",
        "acme (api.acme.test)",
    ):
        assert part in said.out
    assert "fast → openai/gpt-4o-mini, acme/large" in said.out
    assert "anthropic is off: it has no key; set ANTHROPIC_API_KEY" in said.out


def test_without_a_file_the_embedded_provider_is_on(sg):
    said = sg("check")
    assert said.code == 0
    assert "echo (in this process)" in said.out


def test_warnings_do_not_fail_a_check(sg, write):
    write(f"auth: {{keys: [{{name: ci, key: {KEY}}}]}}\n").chmod(0o644)
    said = sg("check")
    assert said.code == 0
    assert "warning" in said.out
    assert "chmod 600 config.yaml" in said.out


def test_every_problem_is_told_with_its_place_and_a_hint(process, write):
    write("server:\n  prot: 4000\nmodels:\n  fast: [opnai/gpt-4o]\n")
    said = process("check")
    assert said.code == 1
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("config.yaml:2:3: server.prot: unknown key")
    assert "`port`" in lines[0]
    assert lines[1].startswith("config.yaml:4:10: models.fast[0]:")
    assert "`openai`" in lines[1]


def test_a_file_that_is_not_there_is_an_error(sg):
    said = sg("check", "--config", "nowhere.yaml")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("nowhere.yaml: cannot be read")


@pytest.mark.parametrize("row", [row for row in CATALOG.values() if row.env], ids=lambda row: row.name)
def test_init_writes_what_loads_for_each_vendor(sg, folder, row, secrets):
    env = {name: secrets.plant(f"canary-of-{row.name}-77aa") for name in row.env[:1]}
    options = DIALECTS[row.dialect].options.values()
    env |= {option.env[0]: "something" for option in options if option.env and option.default is None}
    said = sg("init", env=env)
    assert (said.code, said.out) == (0, "")
    written = (folder / "config.yaml").read_text()
    secrets.assert_absent(written.encode(), "the written configuration")
    assert yaml.safe_load(written)["providers"] == {row.name: {"keys": [f"${{{row.env[0]}}}"]}}
    checked = sg("check", env=env)
    assert checked.code == 0
    assert f"{row.name} (" in checked.out
    assert "warning" not in checked.out


def test_init_tells_what_a_vendor_still_lacks(sg):
    said = sg("init", "-", env={"AZURE_OPENAI_API_KEY": canary("AZURE_OPENAI_API_KEY")})
    assert "# azure is left out: it needs AZURE_RESOURCE_NAME or AZURE_OPENAI_ENDPOINT too" in said.out
    assert not yaml.safe_load(said.out)["providers"]


def test_init_takes_addresses_and_the_master_key_from_their_variables(sg):
    env = {"OLLAMA_HOST": "127.0.0.1:11500", "SWITCHGEAR_MASTER_KEY": canary("SWITCHGEAR_MASTER_KEY")}
    said = sg("init", "-", env=env)
    assert said.code == 0
    written = yaml.safe_load(said.out)
    assert written["providers"] == {"ollama": {}}
    assert written["auth"] == {"master_key": "${SWITCHGEAR_MASTER_KEY:-}"}


def test_init_without_any_key_leaves_echo_on(sg):
    assert sg("init").code == 0
    assert "echo (in this process)" in sg("check").out


def test_init_overwrites_only_when_told_to(sg, folder):
    (folder / "config.yaml").write_text("# mine\n")
    said = sg("init")
    assert said.code == 1
    assert "--force" in said.err
    assert (folder / "config.yaml").read_text() == "# mine\n"
    assert sg("init", "--force").code == 0
    assert "version: 1" in (folder / "config.yaml").read_text()


def test_init_says_when_what_it_wrote_cannot_be_used(sg):
    said = sg("init", env={"OPENAI_API_KEY": "changeme"})
    assert said.code == 1
    assert "placeholder" in said.err


def test_diff_of_files_that_agree_ends_with_0(sg, write):
    before, after = (
        write("server: {port: 4001}\n", "a.yaml"),
        write("# moved\nserver:\n  port: '4001'\n", "b.yaml"),
    )
    assert sg("diff", str(before), str(after)) == (0, "", "")


def test_diff_tells_changes_without_secrets(sg, write):
    before = write(
        f"auth: {{keys: [{{name: ci, key: {KEY}}}]}}\nmodels: {{fast: [openai/a], x: [openai/x]}}\n", "a.yaml"
    )
    after = write(
        f"auth: {{keys: [{{name: ci, key: {OTHER}}}]}}\nmodels: {{x: [openai/x]}}\nserver: {{port: 4001}}\n",
        "b.yaml",
    )
    said = sg("diff", str(before), str(after))
    assert said.code == 1
    assert said.out.splitlines() == [
        "~ auth.keys.ci.key: *** → ***",
        "- models.fast: [openai/a]",
        "~ server.port: 4000 → 4001",
    ]


def test_diff_sees_what_variables_would_cover(sg, write):
    before, after = write("server: {port: 4001}\n", "a.yaml"), write("server: {port: 4002}\n", "b.yaml")
    said = sg("diff", str(before), str(after), env={"SWITCHGEAR_SERVER__PORT": "5000"})
    assert (said.code, said.out) == (1, "~ server.port: 4001 → 4002\n")


def test_diff_with_a_broken_file_ends_with_2(sg, write):
    good, bad = write("version: 1\n", "a.yaml"), write("server: ]\n", "b.yaml")
    said = sg("diff", str(good), str(bad))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("b.yaml:1:9:")
    assert sg("diff", str(good), "nowhere.yaml").code == 2


def test_the_schema_accepts_what_init_writes(sg):
    schema = json.loads(sg("schema").out)
    written = yaml.safe_load(sg("init", "-", env={"OPENAI_API_KEY": canary("OPENAI_API_KEY")}).out)
    jsonschema.Draft202012Validator(schema).validate(written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({"servre": {}})
