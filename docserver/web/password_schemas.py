"""Marshmallow schemas of what may have the password of a PDF. No schema of a query has one: addresses are logged."""

from typing import Any

from marshmallow import fields, validate

from docserver.web.request_schemas import JobOptions, NamedUpload, RetryOptions, UploadOptions
from docserver.web.validation import Strict

HEADER = "X-Document-Password"

MAX_PASSWORD = 127
"""Most characters of a password. Of one in UTF-8, AES-256 takes as many bytes (ISO 32000-2, 7.6.4.3.3)."""


class Password(fields.String):
    """The password of an encrypted PDF. The errors do not repeat it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            validate=[
                validate.Length(max=MAX_PASSWORD),
                # PDFium takes only what stands before it.
                validate.ContainsNoneOf("\0", error="It must not have a NUL character."),
            ],
            metadata={
                "format": "password",
                "description": "Of an encrypted PDF. It is kept, encrypted, until the job ends; not for the query.",
                "examples": ["correct horse"],
            },
            **options,
        )


class UploadForm(UploadOptions):
    """The fields of an upload's form."""

    password = Password()


class InspectionForm(Strict):
    """The fields of a form whose file is inspected."""

    password = Password()


class CompletedUpload(NamedUpload):
    """The name of a file that was sent by a link, and the options of an upload."""

    password = Password()


class JobBody(JobOptions):
    """How to read a document once more."""

    password = Password()


class RetryBody(RetryOptions):
    """Which pages to read again, and how."""

    password = Password()


class PasswordHeader(Strict):
    """The password of an upload whose body is the file itself."""

    password = Password(data_key=HEADER)
