"""How many words are wrong in silence in each group of tricks, and the table that shows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.silence.measure import Misses, ReadPage
from bench.silence.sheet import Sample

KINDS = ("lost", "invented", "misplaced")


@dataclass(slots=True)
class Silence:
    """What was read wrong of the samples of one group on pages that claim to be sure."""

    pages: int = 0
    sure: int = 0
    """Pages whose text is the file's own, or most of it, and that need no review."""
    words: int = 0
    """Words that one sees on these pages."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Kind of miss → words."""

    def add(self, sample: Sample, page: ReadPage, missed: Misses) -> None:
        self.pages += 1
        if page.is_sure:
            self.sure += 1
            self.words += len(sample.words)
            self.wrong.update({kind: len(words) for kind, words in missed.by_kind().items()})


def table(groups: Mapping[str, Silence]) -> str:
    """A row for each group of tricks."""
    lines = [
        "### Words of digital pages that are wrong although the page claims to be sure",
        "",
        f"| tricks | pages | of these sure | words on them | {' | '.join(KINDS)} |",
        "|---|" + "---:|" * (3 + len(KINDS)),
    ]
    for name, group in groups.items():
        shares = [f"{group.wrong[kind] / max(group.words, 1):.2%}" for kind in KINDS]
        lines.append(f"| {name} | {group.pages} | {group.sure} | {group.words} | {' | '.join(shares)} |")
    return "\n".join(lines)
