"""How much the fuzzers try: the same few examples in every `make test`, and many new ones in `make fuzz`."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Examples for each property, as `make fuzz` sets them; 0 for a run of `make test`."""


def tries(few: int, *, share: float = 1.0) -> Callable[[Any], Any]:
    """Try `few` examples in `make test`, and this share of EXAMPLES in `make fuzz`."""
    return settings(
        max_examples=max(1, round(EXAMPLES * share)) if EXAMPLES else few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
