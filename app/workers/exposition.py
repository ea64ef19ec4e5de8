"""Metrics of several processes as one text of Prometheus' exposition format, each with the number of its process. Pure.

Each keeps series of its own: were they summed, one that restarts would look as if all had begun anew, and
Prometheus would count what the others have counted a second time
(https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

from collections.abc import Iterable

LABEL = "worker"
_HELP = "# HELP "


def merged(texts: Iterable[tuple[int, bytes]]) -> bytes:
    """Give one text of the texts of these workers: each family once, with the samples of all."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in texts:
        family = ""
        for line in text.decode().splitlines():
            if line.startswith(_HELP):
                family = line.split(" ", 3)[2]
            if line.startswith("#"):
                head = heads.setdefault(family, [])
                if line not in head and len(head) < 2:
                    head.append(line)
            elif line:
                samples.setdefault(family, []).append(_labelled(line, worker))
    lines = [line for family, head in heads.items() for line in (*head, *samples.get(family, ()))]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(line: str, worker: int) -> str:
    name, brace, rest = line.partition("{")
    if brace and " " not in name:
        return f'{name}{{{LABEL}="{worker}",{rest}'
    name, _, value = line.partition(" ")
    return f'{name}{{{LABEL}="{worker}"}} {value}'
