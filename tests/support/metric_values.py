"""The metrics as tests read them: the values in the test's own process, and the names in a text."""

import re

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families


def value(name: str, **labels: str) -> float:
    """The value of a series in this process; 0 if nothing was counted yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The value of each series in a text, by its name and labels."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def of(text: str, name: str, **labels: str) -> float:
    """The value of a series in a text."""
    return values(text)[name, frozenset(labels.items())]


def own_names(text: str) -> set[str]:
    """The names of our metrics in a text, an expression or a document."""
    return set(re.findall(r"(?<![:\w])docserver_[a-z0-9_]+", text))
