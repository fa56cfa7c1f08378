"""Child side: mends the layers of a document (ISO 19005-2, 6.9). Which of them are shown does not change."""

from typing import Any

from pikepdf import Array, Dictionary, Name, Object, Pdf

DEFAULT_NAME = b"Layers"


def mend_layers(pdf: Pdf) -> None:
    """Give each configuration of layers a name of its own, and list all layers in it."""
    properties = pdf.Root.get(Name.OCProperties)
    if not isinstance(properties, Dictionary):
        return
    if Name.Configs in properties:
        # Nobody sees other configurations unless they are chosen.
        del properties[Name.Configs]
    configuration = properties.get(Name.D)
    if not isinstance(configuration, Dictionary):
        configuration = properties.D = Dictionary()
    if Name.AS in configuration:
        del configuration[Name.AS]
    if not str(configuration.get(Name.Name, "")):
        configuration.Name = DEFAULT_NAME
    if Name.Order in configuration:
        groups: Any = properties.get(Name.OCGs, Array())
        listed = _listed(configuration.Order)
        configuration.Order = Array([*configuration.Order, *(group for group in groups if group.objgen not in listed)])


def _listed(order: Object) -> set[tuple[int, int]]:
    waiting, found = [order], set()
    seen: set[tuple[int, int]] = set()
    while waiting:
        entry: Any = waiting.pop()
        if isinstance(entry, Array):
            if entry.is_indirect and entry.objgen in seen:
                continue
            seen.add(entry.objgen)
            waiting.extend(entry)
        elif isinstance(entry, Dictionary):
            found.add(entry.objgen)
    return found
