"""The compose file shuts what it can, and what its files share fits together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config.loader import load
from tests.deploy.dockerfile import read_stages
from tests.deploy.tree import ROOT

DEPLOY = ROOT / "deploy"
VARIABLE = re.compile(r"\$\{(\w+)")


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


COMPOSE = read("compose.yaml")
SERVICES: Mapping[str, Any] = COMPOSE["services"]
every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


@every_service
def test_every_service_is_hardened(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert service["mem_limit"]


@every_service
def test_every_image_has_one_version(service):
    if "build" in service:
        assert (DEPLOY / service["build"]["context"] / "Dockerfile").exists()
    else:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), service["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check(name):
    if "build" in SERVICES[name]:
        assert read_stages()[-1].only("HEALTHCHECK")
    else:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_only_the_gateway_is_published_and_on_loopback_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"gateway": ["127.0.0.1:4000:4000"]}
    for port in read("compose.grafana.yaml")["services"]["grafana"]["ports"]:
        assert port.startswith("127.0.0.1:")


def test_only_the_gateway_reaches_the_outside():
    assert COMPOSE["networks"]["metrics"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if set(service["networks"]) - {"metrics"}}
    assert outside == {"gateway"}


def test_the_secrets_have_no_defaults_and_are_in_the_example():
    text = (DEPLOY / "compose.yaml").read_text()
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / ".env.example").read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    assert set(VARIABLE.findall(text)) == set(example)
    assert not any(example.values()), "the example holds no secret that somebody could leave in place"
    for name in ("SWITCHGEAR_MASTER_KEY", "GRAFANA_ADMIN_PASSWORD"):
        assert f"${{{name}:?" in text, f"{name} must be demanded"


def test_everything_that_is_mounted_is_there_and_cannot_be_changed():
    for service in SERVICES.values():
        for mount in service["volumes"]:
            source, _, target = mount.partition(":")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
                assert target.endswith(":ro"), mount
            else:
                assert source in COMPOSE["volumes"], source


def test_gateway_and_prometheus_share_the_metrics_token():
    scrape = read("prometheus.yml")["scrape_configs"][0]
    path = "/run/secrets/metrics_token"
    assert scrape["authorization"] == {"credentials_file": path}
    assert read("config.yaml")["metrics"]["token"] == {"file": path}
    assert [name for name in SERVICES if "metrics_token" in SERVICES[name].get("secrets", [])] == [
        "gateway",
        "prometheus",
    ]
    assert (
        COMPOSE["secrets"]["metrics_token"]["file"].split("/")[1] + "/" in (DEPLOY / ".gitignore").read_text()
    )
    assert scrape["static_configs"] == [{"targets": ["gateway:4000"]}]


def test_the_job_is_the_one_that_alerts_and_dashboard_look_for():
    job = read("prometheus.yml")["scrape_configs"][0]["job_name"]
    texts = (DEPLOY / "alerts.yml").read_text() + (DEPLOY / "grafana/dashboard.json").read_text().replace(
        '\\"', '"'
    )
    assert set(re.findall(r'job="(\w+)"', texts)) == {job}


def test_the_configuration_is_one_that_the_gateway_takes(tmp_path):
    loaded = load(
        [container_config(DEPLOY / "config.yaml", tmp_path)],
        {"SWITCHGEAR_MASTER_KEY": "sk-compose-0123456789"},
        {},
    )
    assert loaded.config.server.host == "0.0.0.0"
    assert loaded.config.storage.reveal() == "sqlite:////data/switchgear.db"
    assert loaded.config.metrics.token is not None
    assert not loaded.warnings
    assert str(loaded.config.server.port) == read_stages()[-1].only("EXPOSE")


def container_config(source: Path, folder: Path) -> Path:
    """Copy a configuration, with the token where it can be read here."""
    (folder / "token").write_text("metrics-token-0123456789")
    config = folder / "config.yaml"
    config.write_text(source.read_text().replace("/run/secrets/metrics_token", str(folder / "token")))
    return config


def test_running_calls_have_time_to_end():
    from app.cli.run import LAST_WORDS
    from app.config.models import Server

    grace = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s"))
    server = Server.model_validate(read("config.yaml")["server"])
    assert grace >= server.drain_notice + server.drain + LAST_WORDS


def test_grafana_finds_its_data_source_and_its_dashboard():
    source = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    assert source["type"] == "prometheus"
    folder = read("grafana/provisioning/dashboards/switchgear.yaml")["providers"][0]["options"]["path"]
    targets = [mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]]
    assert any(target.startswith(f"{folder}/") and target.endswith(".json") for target in targets)


def test_the_dashboard_is_whole():
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(panel["targets"] and panel["title"] for panel in panels)
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert all(x < 24 for x, _ in cells)
