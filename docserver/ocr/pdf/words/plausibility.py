"""Child side: checks whether a text is in a real language, by counting which letters are next to each other.

If a font maps its letters wrongly (for example, each shifted by three), the text looks like words but has no meaning.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from operator import add
from string import ascii_lowercase

import numpy as np

from docserver.typography import without_accents

MIN_PAIRS = 20
"""Fewest pairs of letters for the full test. A page of numbers has fewer."""

MIN_COMMON_SHARE = 0.41
"""Smallest share of common pairs among all pairs of a long page. Of 43 languages in Latin letters, Vietnamese has the
lowest share, 0.44. Czech has 0.49 and English 0.80. English with randomly permuted letters reaches 0.40 in one of a
hundred cases."""

SHORT_TEXT_ALLOWANCE = 0.25
"""This number, divided by the square root of the number of pairs, is how far a text may be below MIN_COMMON_SHARE by
chance."""

MIN_COMMON_SHARE_OF_FEW = 0.2
"""Smallest share of common pairs for a text with fewer than MIN_PAIRS pairs. One common pair is added before."""

UNSHIFTED_COMMON_SHARE = 0.6
"""A text with this share of common pairs is not shifted: no language with all letters shifted reaches it."""

MIN_SHIFT_GAIN = 0.15
"""If shifting all letters increases the share of common pairs by more than this, the text itself was shifted."""

CODES_SHIFT_ALLOWANCE = 2.0
"""This number, divided by the square root of the number of pairs, is how much more a shift may gain where the text is
not only words. Abbreviations and part numbers may have any pairs, so one of the 25 shifts may suit them by chance."""

MAX_ABBREVIATION_LETTERS = 5
"""Most letters of a word in capitals that may be an abbreviation. Abbreviations have pairs that no language has."""

MIN_IDEOGRAPH_SHARE = 0.1
"""Smallest share of the ideographs that are among the most common ones. In a Chinese text it is a half, in a Japanese
text a third, and with a wrong mapping almost zero."""

MAX_LETTERS = 20_000
"""Most letters of a page that are tested. More would not change the result."""

_ALPHABET = frozenset(ascii_lowercase)
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_WORD_OR_CODE = re.compile(r"[^\W_]{2,}")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")

_COMMON_IDEOGRAPHS = frozenset(
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过"
    "家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从"
    "這為來個們說國時後會對裡過發樣經當與學種將還見沒從現開間長動關點實問題業"
    "本年月見生出入気高円外八六七山話女北午百書先名川水半男電語土木食車何南万母火右読左友社新場員立開力代明京目通"
    "言理体田意度強持野思世正安院界教文元重近考画海知道集別物使品計死特私始朝運終台広住真料"
)


def _pairs(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# The common pairs of each script. They were counted in the Universal Declaration of Human Rights, in translations into
# the script's larger languages, with equal weight for each language.

_LATIN = _pairs(
    """
    en an er de in ar re ti al na te ta li ra la es on ng at st el ni ri le et ne se it as da di ie ma nd is un ha
    ch me nt ka va il or pr to sa rt am ve os he ga si ll ro ei ig ir so ik ci ia mi je no ak ad be em ed ke om do
    im ol ko pe id vi ns tu pa ge ai io od ba tr po co us ku vo eg sk ec ki ur ek av ic tt ja ac og nn lo ag th bi
    mo za ho ot du rs ul gu qu um aj gi hi ru hu dr wa su au ov ya ut ea iv oc sh ss ca ht go ob lu bo aa dd ap rd
    oj ee
    """
)

_CYRILLIC = _pairs(
    """
    на ра ва пр ст ав ни во ан ен та но ар не ов да ко од то ат ал ла бо ма об за ос де ве те ре ек им ро по ли ол
    ти ит ак ри ас тв ка ме го от ам ад ле ор ви св ло ед се ны ац ди ес ин ер нн га ог ет ел ий дн он ба ил до ін
    бе аб ци ту со ай ем ль са эр ын аа ру аг ул мо аз па ом ні вн жа ду сл нд че ож ча ия ув ез ив ты ој ня ры шт
    чл ие ах ја ть ды ич су сн ег ьн лы уд ис жн ки тр бу ње их ми ха ық же из би др лю лу ға рх вс эн үн кл ањ ну
    лі лн
    """
)

_GREEK = _pairs(
    """
    κα αι ικ τη ου το τα να δι ει πο στ εί οι αν ια ρο ία ερ μα ης ων ην θε πρ ση ας ατ τε αί αρ λε ωμ τι θρ με πε
    σε κή νε ασ έχ ελ υν χε τω ρι έν ετ απ ίω κο ον ες ισ πα μο ρα ιο ιν λο ρί ού νο εν ευ νι πι δε συ επ υς ις ντ
    κά ρε ρθ ιδ αθ κό ητ οπ ησ ρέ άτ ών ορ ίσ πό νω γι αλ οσ εξ σί σμ σκ όλ μέ υθ
    """
)

_ARABIC = _pairs(
    """
    ال ان ما اد حق را ور ار وا ام لا او یا می اس دا سا ای با رد لم قو کا دی ند یں کی ية مل عل وق ائ کے ات ری ون ده
    خص عا لح اع یت من شخ کو في در تم دو زا ست قا بر از جا نی ها اش ود مت آز ول لت سی ین نس ئے اب کس که نا أو نو مع
    ہے نے کر تع سے لی هم مو تر هر لك ته وم ید وں شر دة اق اج بی تا فر ہو رو خو حر فع مر حد ہی اف لل تی ئی ري ہر گی
    تح شو شد حا عم دف لأ لى كل نه نہ عی مس جو تو وس عہ رن مي خا گر فا نم يا جت اح كا نت پر اه گا یر جر سر آن رت قی
    لإ أن
    """
)

_HEBREW = _pairs(
    """
    ות יו כל אי ים זכ ול רו או של לא וי דם אד חי בו נו לה וה עי כו לי ית חו יר וב יה שו ני יי כא וד תי תו וא הח הא
    בי ינ יף סע הו די ומ הי המ שי מי ין מו עו ונ רי בר יל לו נה את רה ור ון הכ כר שה צו פו דו לל על יש סו במ וח יד
    אל הג בע וו זו דה יא לב וך שר לת יח דר עב בח בנ מש ופ מד פי אש וש חר הת לפ צי בא בד בכ יס פש הז יב אמ וג גנ וק
    פל הע אר נת לע הב בל מע סי
    """
)

_LINE_END = ord("\n")

_IN_LATIN = np.zeros((128, 128), bool)
"""For the codes of two ASCII letters, True if they are a common pair."""
for _pair in filter(str.isascii, _LATIN):
    _IN_LATIN[ord(_pair[0]), ord(_pair[1])] = True

LAST_LISTED_LETTER = "\u06ff"
"""The last letter of the scripts below. Scripts after it are not listed."""

LAST_OF_ALPHABETS = "\u1fff"
"""The last letter of alphabets. Ideographs and syllables are later."""

_SCRIPTS = (
    # First and last letter of the script's main blocks, and its common pairs.
    ("\u0041", "\u024f", _LATIN),
    ("\u0370", "\u03ff", _GREEK),
    ("\u1f00", "\u1fff", _GREEK),
    ("\u0400", "\u052f", _CYRILLIC),
    ("\u0590", "\u05ff", _HEBREW),
    ("\u0600", "\u06ff", _ARABIC),
)


def is_language(texts: Iterable[str]) -> bool:
    """True if the words of a page may be in a real language, or have too few letters to decide."""
    text = " ".join(texts)[:MAX_LETTERS]
    return _has_common_pairs(text) and _has_common_ideographs(text)


def share_of_common_pairs(words: Iterable[str]) -> float:
    """The share of the words' pairs of unequal letters that are common in some language."""
    pairs = [pair for word in words for pair in map("".join, pairwise(word.lower())) if pair.isalpha()]
    common = sum(pair[0] != pair[1] and _is_common(pair) for pair in pairs)
    return common / max(len(pairs), 1)


def _is_common(pair: str) -> bool:
    """True if the pair is common with or without accents, or may be so in a script that has no list here."""
    common = _common_pairs(pair)
    if common is None:
        # Letters that follow each other in the alphabet are a list.
        return pair[0] <= LAST_OF_ALPHABETS and ord(pair[1]) != ord(pair[0]) + 1
    return pair in common or without_accents(pair) in common


def _has_common_pairs(text: str) -> bool:
    words = [word for word in _WORD_OR_CODE.findall(text) if not _is_code(word)]
    if _is_unshifted_ascii("\n".join(words).lower()):
        return True
    pairs = _count_pairs(words)
    if _are_unshifted(pairs):
        return True
    # A name with odd letters may be repeated in each row of a table.
    distinct = _count_pairs({word.lower() for word in words})
    if _are_unshifted(distinct):
        return True
    total, hits, other_scripts = _tally(pairs)
    is_repeated = sum(distinct.values()) < MIN_PAIRS
    if (total >= other_scripts and not is_repeated and _is_shifted(pairs)) or _is_shifted(
        # Part numbers repeat the same letters.
        _count_pairs(set(_LETTERS.findall(text))),
        allowance=CODES_SHIFT_ALLOWANCE,
    ):
        return False
    # Where most text is in a script without a list, a few odd words in a script with a list decide nothing.
    total, hits = total + other_scripts, hits + other_scripts
    if total < MIN_PAIRS:
        return hits + 1 >= MIN_COMMON_SHARE_OF_FEW * total
    return hits >= (MIN_COMMON_SHARE - SHORT_TEXT_ALLOWANCE / math.sqrt(total)) * total


def _is_unshifted_ascii(lines: str) -> bool:
    """True for most English pages: the same as `_are_unshifted`, if the small letters of these lines are all ASCII."""
    if not lines.isascii():
        return False
    letters = np.frombuffer(lines.encode(), np.uint8)
    first, second = letters[:-1], letters[1:]
    total = np.count_nonzero((first != _LINE_END) & (second != _LINE_END))
    hits = np.count_nonzero(_IN_LATIN[first, second])
    return bool(total >= MIN_PAIRS and hits >= UNSHIFTED_COMMON_SHARE * total)


def _are_unshifted(pairs: Counter[str]) -> bool:
    total, hits, _ = _tally(pairs)
    return total >= MIN_PAIRS and hits >= UNSHIFTED_COMMON_SHARE * total


def _tally(pairs: Counter[str]) -> tuple[int, int, int]:
    """How many of the pairs are in a script with a list, how many of these are common, and how many are in others."""
    total = hits = other_scripts = 0
    for pair, count in pairs.items():
        common = _common_pairs(pair)
        if common is not None:
            total += count
            hits += count * (pair in common)
        elif pair[0] > LAST_LISTED_LETTER:
            other_scripts += count
    return total, hits, other_scripts


def _is_code(word: str) -> bool:
    """True if the word may be an abbreviation, or the number of a part or a customer."""
    return not word.isalpha() or (len(word) <= MAX_ABBREVIATION_LETTERS and word.isupper())


def _count_pairs(words: Iterable[str]) -> Counter[str]:
    text = "\n".join(words).lower()
    pairs = Counter(map(add, text, text[1:]))
    return Counter({pair: count for pair, count in pairs.items() if "\n" not in pair})


def _is_shifted(pairs: Counter[str], *, allowance: float = 0.0) -> bool:
    """True if the text would be more like a language after shifting its letters a to z by some places."""
    latin = {pair: count for pair, count in pairs.items() if set(pair) <= _ALPHABET}
    total = sum(latin.values())
    if total < MIN_PAIRS:
        return False
    shares = []
    for places in range(len(ascii_lowercase)):
        shift = str.maketrans(ascii_lowercase, ascii_lowercase[places:] + ascii_lowercase[:places])
        shares.append(sum(count for pair, count in latin.items() if pair.translate(shift) in _LATIN))
    return max(shares) - shares[0] > MIN_SHIFT_GAIN * total + allowance * math.sqrt(total)


@lru_cache(maxsize=5000)
def _common_pairs(pair: str) -> frozenset[str] | None:
    """The common pairs in the script of the first letter; None if the pair is not counted.

    Pairs are not counted if their script is not listed here, or if they have Vietnamese letters with two marks. No
    wrong mapping produces such letters, and they form too many pairs to list.
    """
    if any("\u1e00" <= letter <= "\u1eff" for letter in pair):
        return None
    return next((common for first, last, common in _SCRIPTS if first <= pair[0] <= last), None)


def _has_common_ideographs(text: str) -> bool:
    ideographs = _IDEOGRAPH.findall(text)
    if len(ideographs) < MIN_PAIRS:
        return True
    return sum(ideograph in _COMMON_IDEOGRAPHS for ideograph in ideographs) >= MIN_IDEOGRAPH_SHARE * len(ideographs)
