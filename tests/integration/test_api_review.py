"""Pages that were read unsurely: named by the job and the result, and read again by themselves."""

import io

from PIL import Image, ImageDraw

from docserver.jobs.worker import Worker
from tests.support.client import Client, completed, get, upload
from tests.support.samples import png
from tests.support.samples.pictures import picture


def four_pages() -> bytes:
    """A page in print, one that is hardly legible, a blank one, and a drawing."""
    clear = picture("The king has many apples").convert("L")
    blurred = clear.resize((clear.width // 9, clear.height // 9)).resize(clear.size)
    blank = Image.new("L", clear.size, 255)
    drawing = blank.copy()
    ImageDraw.Draw(drawing).ellipse((20, 20, clear.width - 20, clear.height - 20), outline=0, width=5)
    file = io.BytesIO()
    clear.save(file, "TIFF", save_all=True, append_images=[blurred, blank, drawing])
    return file.getvalue()


async def test_pages_that_were_read_unsurely_are_named_and_read_again_by_themselves(
    client: Client, worker: Worker
) -> None:
    job = await completed(client, (await upload(client, four_pages(), "four.tiff"))["job_id"])
    path = f"/v1/jobs/{job['job_id']}"

    result = await get(client, f"{path}/result", format="json")

    assert job["needs_review"] == [2, 4]
    assert [page["needs_review"] for page in result["pages"]] == [False, True, False, True]
    first, second = result["pages"][:2]
    assert first["blocks"][0]["lines"][0]["confidence"] == first["confidence"] > 80 > second["confidence"]
    assert first["confidence"] > job["confidence"]

    async with client.post(f"{path}/retry", json={"pages": "needs_review", "mode": "force"}) as response:
        again = await response.json()
        assert response.status == 202, again
    assert (again["needs_review"], again["confidence"]) == ([], None)
    assert again["pages"] == {"total": 4, "done": 2, "failed": 0}
    final = await completed(client, job["job_id"])
    assert (final["attempt"], final["needs_review"], final["options"]["mode"]) == (2, [2, 4], "force")


async def test_where_no_page_needs_review_there_is_nothing_to_read_again(client: Client, worker: Worker) -> None:
    job = await completed(client, (await upload(client, png()))["job_id"])

    async with client.post(f"/v1/jobs/{job['job_id']}/retry", json={"pages": "needs_review"}) as response:
        problem = await response.json()

    assert job["needs_review"] == []
    assert (response.status, problem["errors"][0]["pointer"]) == (422, "/pages")
    assert (await get(client, f"/v1/jobs/{job['job_id']}"))["status"] == "completed"
