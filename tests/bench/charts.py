"""The measurements as pictures: `python -m tests.bench.charts results.json`, in the environment of the benchmarks."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

OURS, OTHERS = "#1f6feb", "#9aa4b2"
FOREIGN = frozenset({"floor", "direct", "bare 401", "LiteLLM", "Portkey"})
BARS = (("rate", "calls a second"), ("cpu", "µs of CPU a call"), ("age_p99", "ms, event p99"))


def draw(name: str, result: Mapping[str, Any], folder: Path) -> None:
    """Draw one scenario's lanes as bars."""
    lanes = result["lanes"]
    shown = [(key, label) for key, label in BARS if any(each.get(key) for each in lanes.values())]
    figure, axes = plt.subplots(
        1, len(shown), figsize=(4.6 * len(shown), 0.7 + 0.5 * len(lanes)), squeeze=False
    )
    for axis, (key, label) in zip(axes[0], shown, strict=True):
        values = [each.get(key, 0.0) for each in lanes.values()]
        colours = [OTHERS if lane in FOREIGN else OURS for lane in lanes]
        axis.bar_label(axis.barh(list(lanes), values, color=colours), fmt="{:,.0f}", padding=3)
        axis.invert_yaxis()
        axis.set_xlabel(label)
        axis.margins(x=0.18)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(result["title"])
    figure.tight_layout()
    figure.savefig(folder / f"{name}.png", dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    for name, result in json.loads(file.read_text())["results"].items():
        if result["lanes"]:
            draw(name, result, file.parent)
