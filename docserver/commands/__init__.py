"""The commands of an operator that print something. The command line is read in `command_line`."""

import sys


def say(line: str) -> None:
    """Print a line for the operator."""
    sys.stdout.write(f"{line}\n")
