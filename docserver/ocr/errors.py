"""Child side: the exceptions of reading a document."""

from docserver.errors import DocumentErrorCode, Failure


class Unreadable(Exception):
    """The document or page cannot be read. The message is for people, `detail` for the log."""

    def __init__(self, code: DocumentErrorCode, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(code, message)
        self.detail = detail


class TextLayerRejected(Exception):
    """A PDF page's own text is missing or cannot be trusted, as the message says: its image must be read."""
