"""What a start of docserver finds out about the machine: found out once for many starts."""

import asyncio
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from unittest.mock import patch

from docserver import resources
from docserver.ocr.child.main import PASSED_VARIABLES
from docserver.ocr.engine import Engine, SecondEngine, describe, second_engine
from docserver.ocr.sandbox.policy import Confinement
from docserver.ocr.server import sandbox_probe
from docserver.settings import Settings


@dataclass(frozen=True)
class Machine:
    """What each start finds out by running programs and reading models, and what stays the same while the tests run."""

    engine: Engine
    second: SecondEngine | None
    confinement: Confinement

    @classmethod
    def explored(cls) -> "Machine":
        engine = asyncio.run(describe(Settings.engine))
        confinement = asyncio.run(sandbox_probe.confinement_of_a_process())
        # asyncio waits for a program in a thread, which may outlive the wait for it.
        for thread in threading.enumerate():
            if thread.name.startswith("asyncio-waitpid"):
                thread.join()
        return cls(engine, second_engine(), confinement)

    def show(self, environment: Mapping[str, str]) -> None:
        """Make docserver in this process take this instead of reading models and running programs. If its environment
        names other programs, it runs those.
        """
        patch.object(resources, "second_engine", lambda: self.second).start()
        if any(environment.get(name) != os.environ.get(name) for name in PASSED_VARIABLES):
            return

        async def engine_of(choice: str) -> Engine:
            return self.engine if choice == Settings.engine else await describe(choice)

        async def confinement() -> Confinement:
            return self.confinement

        patch.object(resources, "describe_engine", engine_of).start()
        patch.object(sandbox_probe, "confinement_of_a_process", confinement).start()
