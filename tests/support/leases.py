"""The leases of one process, with settings of its own."""

from dataclasses import replace
from typing import Any

from docserver.jobs.leases import Claims
from docserver.resources import Resources


def claims_of(resources: Resources, *, db: Any = None, **settings: Any) -> Claims:
    changed = replace(resources.settings, **settings)
    return Claims(replace(resources, settings=changed, db=db or resources.db))
