"""The measured speeds as a bar chart: for each workload, the multiple of two plain `tesseract` processes."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl

from bench.compare import Table

mpl.use("svg")
# The same figures give the same file.
mpl.rcParams["svg.hashsalt"] = "docserver"

from matplotlib import pyplot as plt  # noqa: E402 - mpl.use must come first

BAR = 0.2
COLOURS = ("#1b6ca8", "#c8c8c8", "#e0a458", "#8a9a5b")


def draw(table: Table, path: Path, *, peers: Sequence[str]) -> None:
    """Write an SVG; `peers` does not include the reference."""
    names = list(table)
    figure, axes = plt.subplots(figsize=(8, 0.75 * len(names) + 1.2), layout="constrained")
    for number, peer in enumerate(peers):
        shown = [(place, table[name][peer].against) for place, name in enumerate(names) if peer in table[name]]
        places = [place + (number - (len(peers) - 1) / 2) * BAR for place, _ in shown]
        speeds = [median(against) for _, against in shown]
        bars = axes.barh(places, speeds, BAR, label=peer, color=COLOURS[number % len(COLOURS)])
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=7)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("pages per second, as a multiple of two plain tesseract processes (logarithmic)")
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
