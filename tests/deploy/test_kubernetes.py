"""The Kubernetes manifest holds together and asks for no more rights than the gateway needs."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from app.cli.run import LAST_WORDS
from app.config.models import Server
from tests.deploy.tree import ROOT

Objects = dict[str, Any]


@pytest.fixture(scope="module")
def objects() -> Objects:
    documents = list(yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text()))
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found


@pytest.fixture(scope="module")
def pod(objects: Objects) -> Any:
    return objects["StatefulSet"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod: Any) -> Any:
    (only,) = pod["containers"]
    return only


def test_everything_is_there(objects):
    assert set(objects) == {
        "ConfigMap",
        "StatefulSet",
        "Service",
        "PodDisruptionBudget",
    }


def test_the_parts_find_each_other(objects, pod, container):
    labels = objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert objects["StatefulSet"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert objects["Service"]["spec"]["selector"].items() <= labels.items()
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": Server().port}
    probed = [
        container[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    ]
    assert set(probed) == {objects["Service"]["spec"]["ports"][0]["targetPort"]} == set(ports)
    claims = objects["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        *(volume["name"] for volume in pod["volumes"]),
        *(claim["metadata"]["name"] for claim in claims),
    }


def test_the_probes_tell_life_from_readiness(container):
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_it_has_no_rights(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}


def test_no_secret_stands_in_it(objects, container):
    assert "Secret" not in objects
    assert container["env"] == [{"name": "SWITCHGEAR_CONFIG", "value": "/etc/switchgear/config.yaml"}]
    made = set(re.findall(r"--from-literal=([a-z_]+)=", (ROOT / "deploy/kubernetes.yaml").read_text()))
    assert made == set(re.findall(r"/run/secrets/(\w+)", objects["ConfigMap"]["data"]["config.yaml"]))


def test_the_configuration_is_the_one_of_the_compose_file(objects):
    shipped = yaml.safe_load((ROOT / "deploy/config.yaml").read_text())
    assert yaml.safe_load(objects["ConfigMap"]["data"]["config.yaml"]) == shipped


def test_several_instances_each_with_a_disk_that_stays(objects):
    """Limits are in Redis, keys and usage in PostgreSQL; what waits for it is on a disk of the instance's own."""
    spec = objects["StatefulSet"]["spec"]
    assert spec["replicas"] >= 2
    assert spec["serviceName"] == objects["Service"]["metadata"]["name"]
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_running_calls_have_time_to_end(pod, objects):
    server = Server.model_validate(yaml.safe_load(objects["ConfigMap"]["data"]["config.yaml"])["server"])
    assert pod["terminationGracePeriodSeconds"] >= server.drain_notice + server.drain + LAST_WORDS


def test_the_image_is_of_this_version(container):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert container["image"] == f"switchgear:{version}"
