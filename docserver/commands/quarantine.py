"""The command `quarantine`: what waits in the quarantine, and its restoration."""

from collections.abc import Sequence
from uuid import UUID

from docserver.commands import print_line
from docserver.documents.originals import COMMIT_S, find_unknown
from docserver.documents.restoration import Outcome, restore
from docserver.resources import Resources
from docserver.storage.quarantine import StoredFile


async def list_quarantine(resources: Resources) -> None:
    """Print the originals that no document knows, one a line."""
    unknown = await find_unknown(resources)
    for document_id, file in sorted(unknown.stored.items()):
        print_line(_line(document_id, file, "not in the quarantine yet"))
    for document_id, file in sorted(unknown.quarantined.items()):
        left_s = resources.settings.quarantine_s - file.age_s
        print_line(_line(document_id, file, f"deleted in {left_s / 86400:.1f} days" if left_s > 0 else "deleted soon"))
    if unknown.are_most:
        print_line("Most originals have no document, so none is deleted. Is the database the right one?")
    if not unknown:
        print_line(f"Every original that is older than {COMMIT_S:g} s has its document.")


async def restore_from_quarantine(resources: Resources, document_ids: Sequence[UUID] | None) -> bool:
    """Make documents of these originals, or of all if it is None, and print what became of each.

    Returns True if each of them has its document now.
    """
    if document_ids is None:
        unknown = await find_unknown(resources)
        document_ids = sorted((*unknown.stored, *unknown.quarantined))
    failed = 0
    for document_id in document_ids:
        outcome = await restore(resources, document_id)
        failed += outcome not in (Outcome.RESTORED, Outcome.PRESENT)
        print_line(f"{document_id}  {outcome}")
    print_line(f"{len(document_ids) - failed} of {len(document_ids)} originals have their documents now.")
    return not failed


def _line(document_id: UUID, file: StoredFile, state: str) -> str:
    return f"{document_id}  {file.size:>12} bytes  {state}"
