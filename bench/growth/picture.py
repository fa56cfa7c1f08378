"""The costs of a page and the simulation as an SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

from bench.growth.backlog import Kind
from bench.growth.pages import Cost
from bench.growth.simulation import Outcome

mpl.use("svg")
# The same figures give the same file.
mpl.rcParams["svg.hashsalt"] = "docserver"

from matplotlib import pyplot as plt  # noqa: E402 - mpl.use must come first

COLOURS = ("#1b6ca8", "#e0a458", "#8a9a5b", "#b0413e")


def draw(costs: Mapping[Kind, Sequence[Cost]], simulated: Mapping[str, Sequence[Outcome]], path: Path) -> None:
    """Write an SVG: rows and CPU time of a page beside backlogs, and pages per second by slots."""
    figure, (rows, cpu, speed) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for (kind, of_kind), colour in zip(costs.items(), COLOURS, strict=True):
        sizes = [cost.size for cost in of_kind]
        rows.plot(sizes, [cost.page.rows_read for cost in of_kind], "o-", color=colour, label=kind.name)
        cpu.plot(sizes, [cost.page.database_cpu_ms for cost in of_kind], "o-", color=colour)
    rows.set_title("rows read for a page", fontsize=9)
    rows.legend(fontsize=7, frameon=False, loc="lower left")
    cpu.set_title("database CPU for a page, ms", fontsize=9)
    for axes in (rows, cpu):
        axes.set_xscale("log")
        axes.set_ylim(0, 1.2 * axes.get_ylim()[1])
        axes.set_xlabel("pages that wait", fontsize=8)
    for (pages, outcomes), colour in zip(simulated.items(), COLOURS, strict=False):
        speed.plot(
            [each.slots for each in outcomes], [each.per_second for each in outcomes], "o-", color=colour, label=pages
        )
        if limited := next((each for each in outcomes if each.limit), None):
            at = (limited.slots, limited.per_second)
            speed.annotate(f"limit: {limited.limit}", at, fontsize=8, va="bottom", ha="right")
    speed.legend(fontsize=7, frameon=False, loc="lower right")
    speed.set_title("pages per second, simulated", fontsize=9)
    speed.set_xscale("log")
    speed.set_yscale("log")
    speed.set_xlabel("slots", fontsize=8)
    for axes in (rows, cpu, speed):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
