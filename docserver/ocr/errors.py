"""Child side: exceptions that carry a verdict from where it is found to where it is acted on."""

from docserver.errors import DocumentErrorCode, Failure


class Unreadable(Exception):
    """The document or page cannot be read; `detail` is for the log, the failure's message for people."""

    def __init__(self, code: DocumentErrorCode, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(code, message)
        self.detail = detail


class TextLayerRejected(Exception):
    """A PDF page's own text is missing or cannot be trusted, as the message says: its image must be read."""
