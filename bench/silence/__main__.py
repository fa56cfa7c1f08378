"""`python -m bench.silence`: prints the measure of silence and what is wrong in it; `make bench` measures it too."""

import sys

from bench.peers import WORKERS
from bench.server import docserver
from bench.silence.figures import table
from bench.silence.reading import SEEDS, measure


def main() -> None:
    with docserver(RATE_LIMIT="off", DEDUPLICATE="off", SLOTS=WORKERS) as server:
        groups, wrong = measure(server, seeds=SEEDS)
    print(table(groups))
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
