"""Child side: the exceptions raised when a document cannot be read."""

from docserver.errors import DocumentErrorCode, Failure


class Unreadable(Exception):
    """The document or page cannot be read. The message is for users, `detail` is for the log."""

    def __init__(self, code: DocumentErrorCode, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(code, message)
        self.detail = detail


class TextLayerRejected(Exception):
    """The text layer of a PDF page is missing or wrong; the message says why. The page needs OCR."""
