"""A short soak; `make soak MINUTES=30` is a long one, with another seed each time."""

from pathlib import Path

from tests.soak.__main__ import table
from tests.soak.run import soak

SEED = 1
SECONDS = 20.0


async def test_nothing_is_lost_stuck_doubled_leaked_or_left_behind_after_many_faults(tmp_path: Path) -> None:
    outcome = await soak(seconds=SECONDS, seed=SEED, directory=tmp_path)

    assert outcome.report.holds, table(outcome)
    assert sum(outcome.struck.values()) >= 5
    assert outcome.answers["upload 202"] >= 20
