"""The commands of an operator that print something. The command line is read in `command_line`."""

import sys


def print_line(line: str) -> None:
    """Print a line for the operator."""
    sys.stdout.write(f"{line}\n")
