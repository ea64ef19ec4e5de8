"""What the image is made of, as far as it can be seen without an engine."""

from __future__ import annotations

import re

import pytest

from tests.deploy.dockerfile import Stage, exec_form, read_stages
from tests.deploy.tree import ROOT

PINNED = re.compile(r"python:3\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?")


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read_stages()


@pytest.fixture(scope="module")
def final(stages: list[Stage]) -> Stage:
    return stages[-1]


def test_every_stage_starts_from_the_same_pinned_release(stages):
    assert len(stages) == 2
    assert len({stage.image for stage in stages}) == 1, "a venv only works on the Python it was made with"
    assert PINNED.fullmatch(stages[0].image), stages[0].image


def test_everything_is_installed_by_hash_or_built_here(stages):
    for command in stages[0].every("RUN"):
        assert "pip install" not in command or "--require-hashes" in command, command
    script = (ROOT / "scripts" / "install.sh").read_text()
    installs = [line.strip() for line in script.splitlines() if line.strip().startswith("install ")]
    assert installs == ["install --require-hashes -r requirements/image.txt", "install --no-deps dist/*.whl"]


def test_nothing_is_installed_into_the_final_stage(final):
    assert final.every("COPY") == ["--from=build /opt/switchgear /opt/switchgear"]
    assert not [command for command in final.every("RUN") if re.search(r"\b(apt|pip|uv)\b", command)]


def test_it_runs_as_a_user_without_rights_who_owns_the_volume(final):
    assert final.only("USER") == "10001:10001"
    assert "--owner=10001 --group=10001 --mode=0700 /data" in final.only("RUN")
    assert final.only("VOLUME") == "/data"
    words = [each.word for each in final.instructions]
    assert words.index("RUN") < words.index("USER"), "the folder can only be given away by root"


def test_the_default_storage_lies_in_the_volume(final):
    from app.config.models import Config

    stored = f"{final.only('WORKDIR').rstrip('/')}/{Config().storage.local}"
    assert stored.startswith(f"{final.only('VOLUME')}/")


def test_it_starts_the_gateway_for_all_addresses_and_checks_its_health(final):
    assert exec_form(final.only("ENTRYPOINT")) == ["switchgear"]
    assert exec_form(final.only("CMD")) == ["run", "--host", "0.0.0.0"]
    assert final.only("EXPOSE") == "4000"
    options, _, check = final.only("HEALTHCHECK").partition(" CMD ")
    assert exec_form(check) == ["switchgear", "healthcheck"]
    assert "--start-period=" in options


def test_the_context_holds_what_is_copied_and_no_more(stages):
    ignored = (ROOT / ".dockerignore").read_text().split()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {source.split("/")[0] for rest in stages[0].every("COPY") for source in rest.split()[:-1]}
    assert "*" in ignored
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
