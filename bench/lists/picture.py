"""The cost of lists by the number of documents as an SVG."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

from bench.lists.requests import LISTS, Cost

mpl.use("svg")
# The same figures give the same file.
mpl.rcParams["svg.hashsalt"] = "docserver"

from matplotlib import pyplot as plt  # noqa: E402 - mpl.use must come first


def draw(costs: Mapping[int, Mapping[str, Cost]], path: Path) -> None:
    """Write an SVG: the CPU time of each list."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    sizes = list(costs)
    colours = plt.get_cmap("tab20")
    for number, name in enumerate(LISTS):
        axes.plot(sizes, [costs[size][name].cpu_ms for size in sizes], "o-", ms=3, color=colours(number), label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("documents", fontsize=8)
    axes.set_title("CPU time of a list, ms", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=6, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
