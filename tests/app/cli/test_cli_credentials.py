"""`switchgear providers credentials`: secrets come by standard input, and no command shows one again."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from app.cli.program import program

KEY, NEW_KEY = "a" * 43 + "=", "b" * 43 + "="
SECRET = "sk-canary-at-the-command-line-0123456789wxyz"
OTHER = "sk-canary-at-the-command-line-again-0123456789qrst"
ENV = {"SWITCHGEAR_ENCRYPTION__KEYS": KEY}


@pytest.fixture
def credentials(folder, secrets):
    for secret in (SECRET, OTHER):
        secrets.plant(secret)

    def run(*arguments: str, secret: str = "", env=ENV):
        result = CliRunner().invoke(
            program, ["providers", "credentials", *arguments], input=secret, env=env, prog_name="switchgear"
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        secrets.assert_absent(result.output.encode(), f"the output of {arguments}")
        return result

    return run


def test_they_are_added_listed_replaced_and_removed_on_the_database(credentials, sg, folder, secrets):
    assert "openai" not in [row.split()[0] for row in sg("models").out.splitlines()[1:]]
    added = credentials("add", "openai", "--weight", "3", "--models", "gpt-*, o3*", secret=f"{SECRET}\n")
    assert added.exit_code == 0, added.output
    assert "openai has the credential 1 (it ends in wxyz)" in added.stdout
    (row,) = json.loads(credentials("list", "--json").stdout)
    assert (row["id"], row["hint"], row["opened"], row["weight"]) == (1, "wxyz", True, 3)
    assert (row["models"], row["created_by"].startswith("cli:")) == (["gpt-*", "o3*"], True)
    (shown,) = [row for row in json.loads(sg("providers", "--json", env=ENV).out) if row["on"]]
    assert (shown["name"], shown["why"], shown["credentials"]) == (
        "openai",
        "its key stands in the database",
        1,
    )
    explained = sg("explain", "--model", "gpt-4o", env=ENV)
    assert "api.openai.com" in explained.out

    assert "replaced (it ends in qrst)" in credentials("replace", "openai", "1", secret=OTHER).stdout
    table = credentials("list", "openai").stdout
    assert "qrst" in table
    assert "in use" in table
    assert "no key opens it" in credentials("list", env={}).stdout
    for file in folder.rglob("*"):
        if file.is_file():
            secrets.assert_absent(file.read_bytes(), str(file))
    assert credentials("remove", "openai", "1").exit_code == 0
    assert "No credentials" in credentials("list").stdout
    gone = credentials("remove", "openai", "1")
    assert (gone.exit_code, "no such credential" in gone.stderr) == (1, True)


def test_what_cannot_be_kept_is_refused_in_words(credentials):
    for arguments, secret, env, said in (
        (("add", "openai"), SECRET, {}, "openssl rand -base64 32"),
        (("add", "opnai"), SECRET, ENV, "did you mean `openai`"),
        (("add", "openai"), "", ENV, "1 to 16384 characters"),
        (("add", "openai"), f"{SECRET}\n{OTHER}\n", ENV, "line break"),
        (("reseal",), "", {}, "openssl rand -base64 32"),
    ):
        result = credentials(*arguments, secret=secret, env=env)
        assert (result.exit_code, said in result.stderr) == (1, True), (arguments, result.output)
    assert credentials("add", "openai", "a-secret-as-an-argument").exit_code == 2


def test_doctor_tells_of_keys_that_do_not_fit_and_of_those_beside_the_database(
    credentials, sg, folder, write
):
    def told(env) -> list[str]:
        found = json.loads(sg("doctor", "--json", env={"SWITCHGEAR_SERVER__PORT": "0", **env}).out)
        return [f"{each['level']}: {each['found']}" for each in found if each["subject"] == "credentials"]

    assert told({}) == []
    credentials("add", "openai", secret=SECRET)
    both = {"SWITCHGEAR_ENCRYPTION__KEYS": f"{NEW_KEY},{KEY}"}
    assert told(ENV) == ["ok: in the database, and opened: 1"]
    assert told({}) == ["fail: no key opens those of the database: openai/1"]
    assert told(both)[0] == "warn: sealed with a key that is not the first: openai/1"
    assert "sealed anew: 1" in credentials("reseal", env=both).stdout
    assert told({"SWITCHGEAR_ENCRYPTION__KEYS": NEW_KEY}) == ["ok: in the database, and opened: 1"]
    (folder / "data" / "sealing.key").write_text(NEW_KEY + "\n")
    write("encryption: {keys: [{file: data/sealing.key}]}")
    assert told({})[0] == "warn: the key in data/sealing.key lies beside what it seals"
