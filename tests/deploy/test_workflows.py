"""The workflows run what people run, with pinned actions and no more rights than they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.tree import ROOT, make_targets

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
CALLERS = [ROOT / ".ci/run", ROOT / "scripts/install.sh", *WORKFLOWS]
USES = re.compile(r"uses: (\S+)(?: # (\S+))?$", re.MULTILINE)
MAKE = re.compile(r"(?:^|run: )make ([a-z-]+)", re.MULTILINE)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_they_are_there():
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "release.yml"}


@every_workflow
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path):
    for action, version in USES.findall(path.read_text()):
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r"v\d+\.\d+\.\d+", version), f"{action} says no version"


def test_one_action_has_one_version():
    pins = {use for path in WORKFLOWS for use in USES.findall(path.read_text()) if "@" in use[0]}
    names = [use.partition("@")[0] for use, _ in pins]
    assert len(names) == len(set(names)), sorted(pins)


@every_workflow
def test_rights_are_given_job_by_job(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for right, level in job.get("permissions", {}).items():
            assert level == "read" or path.name == "release.yml", right


@every_workflow
def test_no_job_runs_for_ever_or_keeps_credentials(path):
    for job in read(path)["jobs"].values():
        if "uses" in job:
            continue
        assert job["timeout-minutes"] <= 20
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@every_workflow
def test_nothing_that_others_write_becomes_a_command(path):
    """An expression in a script is text that the shell reads; titles and branch names are anybody's."""
    for job in read(path)["jobs"].values():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", ""), step["run"]


def test_pull_requests_are_checked_by_the_command_that_people_use():
    workflow = read(ROOT / ".github/workflows/ci.yml")
    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request"} <= set(workflow[True])
    steps = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in steps
    assert "make audit" in steps
    assert "make check" in (ROOT / ".ci/run").read_text()


def test_a_release_is_made_of_what_ci_has_passed():
    jobs = read(ROOT / ".github/workflows/release.yml")["jobs"]
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["wheel"]["needs"] == "ci"
    assert jobs["image"]["needs"] == "wheel"
    for name in ("wheel", "image"):
        assert any(step.get("uses", "").startswith("actions/attest@") for step in jobs[name]["steps"]), name


def test_every_make_target_that_is_called_is_there():
    called = {target for path in CALLERS for target in MAKE.findall(path.read_text())}
    assert called <= make_targets(), called - make_targets()


@pytest.mark.parametrize("path", [ROOT / ".ci/run", ROOT / "scripts/install.sh"], ids=lambda path: path.name)
def test_the_scripts_can_be_run(path):
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!")
