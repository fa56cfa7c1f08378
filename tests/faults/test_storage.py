"""A full or broken disk, no descriptors, files that vanish: uploads are told so, and nothing accepted is lost."""

import asyncio
import errno
import resource
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.place import Place
from tests.support.fault_launcher import Fault
from tests.support.held_ocr import held
from tests.support.samples import png
from tests.support.service import Service, form
from tests.support.small_disk import small_disk
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

DISK_BYTES = 16 << 20

FREE_DESCRIPTORS = 3
"""Too few to take a connection, keep a file and ask the database at once."""


async def answer(service: Service) -> tuple[int, dict[str, Any]]:
    async with service.http.post("/v1/documents/upload-document", data=form(png())) as response:
        return response.status, await response.json()


async def test_on_a_full_disk_uploads_get_507_and_what_was_accepted_is_read(place: Place) -> None:
    with small_disk(place.data_dir, size=DISK_BYTES) as disk:
        service = await place.start(faults=disk.faults("docserver.storage.local:Path.open"))
        async with held(service):
            await place.must_upload(service, pages=3)
            await place.handed_over()
            disk.fill()
            status, problem = await answer(service)
        assert (status, problem["code"]) == (507, "storage_full")
        await service.logged("page read")

        disk.free()

        # The disk is looked at once a second.
        await until(lambda: _accepts(place, service))
        await place.assert_kept(service)
        await place.assert_clean()
        await place.close()


async def test_where_no_further_file_can_be_created_uploads_get_507(place: Place) -> None:
    with small_disk(place.data_dir, size=DISK_BYTES, options=",nr_inodes=100") as disk:
        service = await place.start(faults=disk.faults("docserver.room:Room.require"))
        await place.must_upload(service)
        if disk.mounted:
            (place.data_dir / "many").mkdir()
            with suppress(OSError):
                for number in range(100):
                    (place.data_dir / "many" / str(number)).touch()
        else:
            disk.fill()
        await until(lambda: _is_full(service))

        shutil.rmtree(place.data_dir / "many", ignore_errors=True)
        disk.free()

        await until(lambda: _accepts(place, service))
        await place.assert_kept(service)
        await place.close()


async def _is_full(service: Service) -> bool:
    status, problem = await answer(service)
    return status == 507 and problem["code"] == "storage_full"


async def test_a_disk_that_does_not_keep_what_it_took_gives_503_and_no_document(place: Place, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    service = await place.start(faults=[Fault("os:fsync", errno=errno.EIO, while_there=str(broken))])
    broken.touch()

    status, problem = await answer(service)

    assert (status, problem["code"]) == (503, "storage_unavailable")
    await service.logged("storage fault", number=errno.EIO)
    assert place.incoming() == []
    assert place.originals() == set()
    broken.unlink()
    await place.must_upload(service)
    await place.assert_kept(service)


async def test_without_descriptors_uploads_are_refused_and_what_was_accepted_is_read(place: Place) -> None:
    service = await place.start()
    async with held(service):
        await place.must_upload(service, pages=2)
        await place.handed_over()
        used = len(list(Path(f"/proc/{service.pid}/fd").iterdir()))
        before = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (used + FREE_DESCRIPTORS, before[1]))
        refused = await asyncio.gather(*(place.upload(service) for _ in range(5)))
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, before)

    assert None in refused
    await until(lambda: _accepts(place, service))
    await place.assert_kept(service)


async def _accepts(place: Place, service: Service) -> bool:
    return await place.upload(service) is not None


@pytest.mark.parametrize("when", ["pending", "being opened"])
async def test_a_job_whose_original_was_deleted_fails_and_says_so_and_no_other_does(place: Place, when: str) -> None:
    api = await place.start(slots="0")
    if when == "being opened":
        worker = await place.start("--worker-only")
        async with held(worker):
            doomed = await place.must_upload(api, pages=3)
            await place.handed_over()
            _delete_original(place, doomed.document_id)
    else:
        doomed = await place.must_upload(api, pages=3)
        _delete_original(place, doomed.document_id)
        await place.start("--worker-only")

    final = await api.finished(doomed.job_id)

    healthy = await place.must_upload(api)
    assert (final["status"], final["error"]["code"]) == ("failed", "storage_missing")
    assert (await api.finished(healthy.job_id))["status"] == "completed"


def _delete_original(place: Place, document_id: str) -> None:
    (place.data_dir / "originals" / document_id[-2:] / document_id).unlink()
