"""The PromQL in deploy/: every expression, and the names in it. Read with patterns, as it is plain enough."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from tests.deploy.tree import ROOT

_METRIC = re.compile(r"\b(?:switchgear|gen_ai|process|python)_\w+|\bup\b")
_SELECTOR = re.compile(r"([a-z_]\w*)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|without) \(([^)]*)\)")
_TEXT = re.compile(r'"[^"]*"')


class Expression(NamedTuple):
    """One expression, and where it stands."""

    where: str
    text: str

    @property
    def metrics(self) -> set[str]:
        """The series that it reads."""
        plain = _GROUPING.sub("", _SELECTOR.sub(r"\1", _TEXT.sub('""', self.text)))
        return set(_METRIC.findall(plain))

    @property
    def labels(self) -> set[str]:
        """The labels that it selects or groups by."""
        grouped = {name.strip() for names in _GROUPING.findall(self.text) for name in names.split(",")}
        selected = {name for _, inside in _SELECTOR.findall(self.text) for name in _LABEL.findall(inside)}
        return grouped | selected


def expressions() -> list[Expression]:
    """Give every expression in the alerts and on the dashboard."""
    alerts = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    return [
        *(Expression(rule["alert"], rule["expr"]) for rule in rules),
        *(Expression(f"dashboard: {title}", text) for title, text in _on_dashboard(dashboard)),
    ]


def _on_dashboard(node: Any, title: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        title = node.get("title", title)
        if "expr" in node:
            yield title, node["expr"]
        for inner in node.values():
            yield from _on_dashboard(inner, title)
    elif isinstance(node, list):
        for inner in node:
            yield from _on_dashboard(inner, title)
