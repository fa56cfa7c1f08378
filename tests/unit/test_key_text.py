"""The text of API keys."""

import re

from docserver.tenants.key_text import ALPHABET, PREFIX_LENGTH, hashed, new_key


def test_a_key_is_recognised_and_its_prefix_tells_it_from_others() -> None:
    keys = [new_key() for _ in range(100)]

    assert all(re.fullmatch(r"dsk_[0-9A-Za-z]{46}", key) for key in keys)
    found = [hashed(key) for key in keys]
    assert [key[:PREFIX_LENGTH] for key in keys] == [each.prefix for each in found if each]
    assert len({each.sha256 for each in found if each}) == 100


def test_every_single_misspelling_is_noticed_by_the_checksum() -> None:
    key = new_key()

    for place in range(len(key)):
        other = ALPHABET[(ALPHABET.find(key[place]) + 1) % len(ALPHABET)]
        assert hashed(key[:place] + other + key[place + 1 :]) is None
