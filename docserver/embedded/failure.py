"""The one error of the embedded servers."""


class EmbeddedError(Exception):
    """The servers cannot run; the message is one line for the operator."""
