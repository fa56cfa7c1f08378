"""Runs docserver with faults forced on it that nothing outside the process can bring about.

`python -m tests.support.fault_launcher JSON [arguments of docserver]`; JSON is a list of faults as `Fault` has them.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any

MODULE = "tests.support.fault_launcher"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at a function, `module:name` or `module:Class.name`: its process is killed unless told otherwise."""

    place: str
    when: str = "before"
    """`before` or `after` it is called."""
    at_call: int = 1
    """Counted from 1; calls before this one are not touched."""
    errno: int = 0
    """Of an OSError that every call from then on raises; 0 kills instead."""
    while_there: str = ""
    """A file: calls that are made while it is missing do not count, and nothing happens. Empty: all calls count."""
    shift_s: float = 0.0
    """Added to what the function returns, for clocks; then nothing else happens."""
    returns: float | None = None
    """What the function returns while the file is there; then nothing else happens."""
    sets: float | None = None
    """What a number of the module becomes, where waiting for it would take too long; then nothing else happens."""


def arguments(*faults: Fault) -> str:
    """The faults as the launcher takes them."""
    return json.dumps([asdict(fault) for fault in faults])


def main() -> None:
    faults = [Fault(**fault) for fault in json.loads(sys.argv[1])]
    sys.argv = ["docserver", *sys.argv[2:]]
    for fault in faults:
        _force(fault)
    from docserver.__main__ import main as run

    run()


def _force(fault: Fault) -> None:
    module, _, path = fault.place.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    # A place that docserver no longer has is an error.
    original = getattr(owner, name)
    setattr(owner, name, _wrapped(original, fault) if fault.sets is None else fault.sets)


def _wrapped(original: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    strike = _striker(fault)
    if fault.shift_s:
        return lambda: original() + fault.shift_s
    if fault.returns is not None:
        return lambda *args: fault.returns if os.path.exists(fault.while_there) else original(*args)  # noqa: PTH110 - pathlib may be what is being hurt
    if not iscoroutinefunction(original):

        @wraps(original)
        def plain(*args: Any, **more: Any) -> Any:
            strike("before")
            result = original(*args, **more)
            strike("after")
            return result

        return plain

    @wraps(original)
    async def awaited(*args: Any, **more: Any) -> Any:
        strike("before")
        result = await original(*args, **more)
        strike("after")
        return result

    return awaited


def _striker(fault: Fault) -> Callable[[str], None]:
    calls = 0

    def strike(when: str) -> None:
        nonlocal calls
        if when != fault.when:
            return
        if fault.while_there and not os.path.exists(fault.while_there):  # noqa: PTH110 - pathlib may be what is being hurt
            return
        calls += 1
        if calls < fault.at_call:
            return
        if not fault.errno:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        raise OSError(fault.errno, os.strerror(fault.errno))

    return strike


if __name__ == "__main__":
    main()
