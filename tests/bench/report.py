"""The measurements as Markdown: what was aimed at, what was seen, and what was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

COLUMNS = (
    "lane",
    "calls/s",
    "CPU a call",
    "p50",
    "p99",
    "first p50",
    "first p99",
    "event p50",
    "event p99",
    "MiB",
    "errors",
)
FIGURES = ("whole_p50", "whole_p99", "first_p50", "first_p99", "age_p50", "age_p99")  # fmt: skip


def render(measured: Mapping[str, Any]) -> str:
    """Write the whole report."""
    lines = ["# Benchmark", "", *_surroundings(measured["surroundings"]), "", "## Aims", ""]
    lines += ["| scenario | what | aim | measured | rounds from … to |", "|---|---|---|---|---|"]
    for result in measured["results"].values():
        lines += [f"| {' | '.join(row)} |" for row in _aims(result)]
    for name, result in measured["results"].items():
        if result["lanes"]:
            lines += ["", f"## {result['title']} (`{name}`)", "", *_lanes(result["lanes"])]
    return "\n".join([*lines, "", "## Not measured", "", *_absent(measured), ""])


def _surroundings(known: Mapping[str, Any]) -> Iterator[str]:
    for name, value in known.items():
        yield f"- {name}: {value}"


def _aims(result: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for aim in result["aims"]:
        unit = aim.get("unit") or ("ms" if aim["how"] == "added" else "x")
        spread = f"{aim['least']:,.2f} … {aim['most']:,.2f}" if "least" in aim else ""
        yield result["title"], aim["what"], aim["bound"], f"{aim['measured']:,.2f} {unit}", spread


def _lanes(lanes: Mapping[str, Mapping[str, float]]) -> Sequence[str]:
    rows = [_lane(name, figures) for name, figures in lanes.items()]
    shown = [at for at, _ in enumerate(COLUMNS) if any(row[at] for row in rows)]
    table = [
        [COLUMNS[at] for at in shown],
        ["---"] * len(shown),
        *([row[at] for at in shown] for row in rows),
    ]
    return [f"| {' | '.join(row)} |" for row in table]


def _lane(name: str, figures: Mapping[str, float]) -> list[str]:
    times = [f"{figures[each]:.2f} ms" if figures.get(each) else "" for each in FIGURES]
    return [
        name,
        f"{figures['rate']:,.0f}",
        f"{figures['cpu']:,.0f} µs",
        *times,
        f"{figures['resident']:.0f}",
        f"{figures['errors']:,.0f} of {figures['calls']:,.0f}",
    ]


def _absent(measured: Mapping[str, Any]) -> Iterator[str]:
    for name, why in measured["not measured"].items():
        yield f"- {name}: {why}"
