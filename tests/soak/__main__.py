"""`python -m tests.soak --minutes 5 --seed 7`: a soak with its table; ends with 1 when something does not hold."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from tests.soak.run import Outcome, soak


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults strike")
    parser.add_argument("--seed", type=int, default=None, help="repeats the faults and clients of an earlier run")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    sys.stdout.write(f"soak of {options.minutes:g} minutes with seed {seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="docserver-soak-") as directory:
        outcome = asyncio.run(soak(seconds=60 * options.minutes, seed=seed, directory=Path(directory)))
    sys.stdout.write(table(outcome))
    if not outcome.report.holds:
        sys.stdout.write(f"It does not hold. Repeat it with: make soak MINUTES={options.minutes:g} SEED={seed}\n")
        sys.exit(1)


def table(outcome: Outcome) -> str:
    """All that was done and found, a line each."""
    lines = [f"  {count:5}  {name}" for name, count in sorted(outcome.struck.items())]
    lines += [f"  {count:5}  {name}" for name, count in sorted(outcome.answers.items())]
    lines += [f"  {'ok' if holds else 'BAD':5}  {name}: {found}" for name, found, holds in outcome.report.rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
