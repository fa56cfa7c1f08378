"""Child side: the exception that carries a Failure from where it is found to the entry point that returns it."""

from docserver.errors import DocumentErrorCode, Failure


class Unreadable(Exception):
    """The document or page cannot be read; `detail` is for the log, the failure's message for people."""

    def __init__(self, code: DocumentErrorCode, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(code, message)
        self.detail = detail
