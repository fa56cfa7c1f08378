"""What docs/security.md says of OCR processes holds for those of the running program."""

import os
import resource
from pathlib import Path

from docserver.ocr.server.cgroup import own_cgroup
from tests.support.cgroups import cgroup_of
from tests.support.processes import children
from tests.support.samples import png
from tests.support.service import Service, Start

DAC_READ_SEARCH = 1 << 2


def ocr_processes(service: Service) -> list[Path]:
    """The directories in /proc of the processes that read documents: they work in a slot's scratch directory."""
    processes = [Path(f"/proc/{pid}") for pid in children(service.pid)]
    return [process for process in processes if "/slot-" in str((process / "cwd").readlink())]


async def test_each_ocr_process_is_confined_by_each_mechanism(start: Start) -> None:
    # The kernel shows the environment of a process as it was when its program was started, and of a fork not at all.
    service = await start(slots="2", directory=str(Path.cwd()))
    job = await service.upload(png())
    await service.finished(job["job_id"])
    own = Path(f"/proc/{service.pid}/environ").read_bytes()
    assert b"DOCSERVER_MYSQL_URL" in own, "the program itself started with a password"

    confined = ocr_processes(service)

    assert len(confined) == 2
    for process in confined:
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} <= {0, DAC_READ_SEARCH}
        pid = int(process.name)
        assert os.getsid(pid) == os.getpgid(pid) == pid
        for limit in ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC"):
            assert resource.prlimit(pid, getattr(resource, limit))[0] != resource.RLIM_INFINITY, limit
        assert b"DOCSERVER_" not in (process / "environ").read_bytes()
        opened = {descriptor.readlink() for descriptor in (process / "fd").iterdir()}
        assert {str(path).partition(":")[0] for path in opened} == {os.devnull, "pipe"}


async def test_each_ocr_process_has_a_cgroup_where_one_may_be_made(start: Start) -> None:
    service = await start(slots="2")
    async with service.http.get("/readyz") as response:
        detail = (await response.json())["checks"]["sandbox"]["detail"]
    job = await service.upload(png())
    await service.finished(job["job_id"])

    groups = {cgroup_of(int(process.name)) for process in ocr_processes(service)}

    own, server = own_cgroup(), cgroup_of(service.pid)
    if "cgroup" not in detail:
        assert groups == {server} == {cgroup_of(os.getpid())}
        return
    assert own is not None
    parent = server.removesuffix("/server")
    assert groups == {f"{parent}/slot-1", f"{parent}/slot-2"}
    assert await service.stop() == 0
    directory = own / Path(parent).name
    assert not [*directory.glob("slot-*")]
    if detail.endswith("cgroup"):
        assert not directory.exists()
