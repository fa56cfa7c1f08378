"""Acting in another process, as an ordinary user where the tests run as root."""

import os
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

ORDINARY_USER = 65534


def ordinary_user_in(directory: Path, act: Callable[[], bool]) -> bool:
    """Call a function as a user without rights whose working directory this is; returns what it returns.

    The directory then belongs to this user. Nothing is imported or started, as the user may lack access to Python.
    """
    if os.getuid() != 0:
        return in_another_process(directory, act)

    def act_without_rights() -> bool:
        os.setgroups([])
        os.setgid(ORDINARY_USER)
        os.setuid(ORDINARY_USER)
        return act()

    os.chown(directory, ORDINARY_USER, ORDINARY_USER)
    return in_another_process(directory, act_without_rights)


def in_another_process(directory: Path, act: Callable[[], bool]) -> bool:
    """Call a function in a process of its own whose working directory this is; returns what it returns."""
    with warnings.catch_warnings():
        # The tests have threads, but the new process uses nothing that they could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        code = 2
        try:
            os.chdir(directory)
            code = 0 if act() else 1
        except BaseException:  # noqa: BLE001 - the process must end here
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) == 0
