"""Prometheus takes the files of deploy/ as they are, and the alerts fire when they should and only then."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.tree import ROOT

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; Debian's package `prometheus` has it")
    return found


def succeed(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid(promtool):
    succeed(promtool, "check", "rules", DEPLOY / "alerts.yml")


def test_the_configuration_is_valid(promtool, tmp_path):
    # With the files where the containers have them, so that what it refers to is looked for too.
    config = (DEPLOY / "prometheus.yml").read_text()
    (tmp_path / "token").write_text("token")
    assert "/run/secrets/metrics_token" in config
    here = config.replace("/run/secrets/metrics_token", str(tmp_path / "token"))
    (tmp_path / "prometheus.yml").write_text(here)
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    succeed(promtool, "check", "config", tmp_path / "prometheus.yml")


def test_the_alerts_fire_when_they_should_and_only_then(promtool, tmp_path):
    cases = (Path(__file__).parent / "alerts_test.yml").read_text()
    (tmp_path / "cases.yml").write_text(cases.replace("ALERTS", str(DEPLOY / "alerts.yml")))
    succeed(promtool, "test", "rules", tmp_path / "cases.yml")


def test_every_alert_is_seen_to_fire():
    cases = yaml.safe_load((Path(__file__).parent / "alerts_test.yml").read_text())
    tried = [check for case in cases["tests"] for check in case["alert_rule_test"]]
    fires = {check["alertname"] for check in tried if check["exp_alerts"]}
    stays = {check["alertname"] for check in tried if not check["exp_alerts"]}
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert fires == stays == alerts
