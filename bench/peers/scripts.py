"""Peers that are Python libraries: each runs in its own process, which imports it before the clock starts."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.peers import Outcome
from bench.server import TOP, BenchError
from bench.usage import PeakMemory, cpu_of_tree_s, tree
from bench.workloads import Upload


class Script:
    """A module of this package that prints `ready`, waits for a line, reads the documents, and prints `done`."""

    def __init__(self, name: str, module: str, *, needs: str, most_pages: int = sys.maxsize) -> None:
        """`most_pages` of each document are read, if all of them would take too long."""
        self.name = name
        self._module = module
        self._needs = needs
        self._most_pages = most_pages

    def missing(self) -> str | None:
        return None if find_spec(self._needs) else self._needs

    def read(self, uploads: Sequence[Upload], directory: Path) -> Outcome:
        command = [sys.executable, "-m", self._module, str(self._most_pages)]
        command += [str(directory / upload.filename) for upload in uploads]
        with subprocess.Popen(
            command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            if process.stdin is None or process.stdout is None or process.stdout.readline() != "ready\n":
                raise BenchError(f"{self._module} did not start")
            before_s, began = cpu_of_tree_s(process.pid), time.perf_counter()
            with PeakMemory(lambda: tree(process.pid)) as memory:
                process.stdin.write("start\n")
                process.stdin.flush()
                if process.stdout.readline() != "done\n":
                    raise BenchError(f"{self._module} failed")
                wall_s, used_s = time.perf_counter() - began, cpu_of_tree_s(process.pid) - before_s
        texts = [(directory / f"{upload.filename}.script").read_text() for upload in uploads]
        return Outcome(wall_s, used_s, memory.peak_mb, texts, self._most_pages)


def serve(read: Callable[[list[Path], int], list[str]]) -> None:
    """The script's side: call `read` with the paths and the number of pages once the clock runs."""
    most_pages, *paths = sys.argv[1:]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    files = [Path(path) for path in paths]
    for path, text in zip(files, read(files, int(most_pages)), strict=True):
        path.with_name(f"{path.name}.script").write_text(text)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    # The bench measures this process before it ends.
    sys.stdin.readline()
