"""Letters of a language are told from letters that were mixed up."""

import random
import string

import pytest

from docserver.ocr.pdf.words.plausibility import is_language, share_of_common_pairs

SAMPLES = [
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience.",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren und sollen einander brüderlich begegnen.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits, et doivent agir en esprit fraternel.",
    "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw, obdarzeni rozumem i sumieniem.",
    "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi, và đối xử với nhau.",
    "Все люди рождаются свободными и равными в своём достоинстве и правах и должны поступать в духе братства.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα, με λογική και συνείδηση.",
    "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا",
    "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם, כולם חוננו בתבונה ובמצפון",
    "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_texts_of_a_language_pass(text: str) -> None:
    assert is_language([text])


@pytest.mark.parametrize("by", range(1, 26))
def test_shifted_letters_fail(by: int) -> None:
    lower = string.ascii_lowercase
    shift = str.maketrans(lower, lower[by:] + lower[:by])

    assert not is_language([SAMPLES[0].lower().translate(shift)])


def test_permuted_letters_hardly_ever_pass() -> None:
    chance = random.Random(1)
    taken = 0
    for _ in range(100):
        mixed = chance.sample(string.ascii_lowercase, 26)
        taken += is_language([SAMPLES[0].lower().translate(str.maketrans(string.ascii_lowercase, "".join(mixed)))])

    assert taken <= 6


def test_cyrillic_read_as_accented_latin_fails() -> None:
    assert not is_language([SAMPLES[5].encode("cp1251").decode("latin-1")])


def test_random_ideographs_fail() -> None:
    chance = random.Random(1)

    assert not is_language(["".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(60))])


@pytest.mark.parametrize("text", ["", "12 345,00 EUR 17.11.2026", "Fig. 3", "A B C", "GmbH"])
def test_a_text_too_short_to_judge_passes(text: str) -> None:
    assert is_language([text])


GEORGIAN = "ქალაქის ბიბლიოთეკა ღიაა ყოველ დღე დილის ცხრა საათიდან საღამოს ექვს საათამდე"
ABBREVIATIONS = "PC, DVD, GPS, LCD, USB, HDMI, VGA, SMS, GSM, WLAN, CPU, RAM, XML, HTML, JPG, PNG, TCP, VPN"


@pytest.mark.parametrize(
    "text",
    [
        GEORGIAN,
        f"{GEORGIAN} {ABBREVIATIONS[:18]}",
        f"{GEORGIAN} {ABBREVIATIONS}",
        f"Քաղաքի գրադարանը բաց է ամեն օր առավոտյան ժամը իննից {ABBREVIATIONS}",
        f"ห้องสมุดเปิดทุกวันตั้งแต่เก้าโมงเช้าถึงหกโมงเย็น {ABBREVIATIONS}",
        f"图书馆每天早上九点到晚上六点开放，读者可以使用以下的设备和电脑 {ABBREVIATIONS}",
        ABBREVIATIONS,
        " ".join(f"{letters}-{number}" for number, letters in enumerate(("BX", "QRT", "ZKV", "WXJ", "PFQ") * 20)),
    ],
)
def test_abbreviations_and_numbers_of_parts_do_not_condemn_a_page(text: str) -> None:
    assert is_language([text])


def test_a_name_with_odd_letters_in_each_row_does_not_condemn_a_page() -> None:
    assert is_language(
        ["Number", "of", "the", "customer", "Name", "and", "amount", "paid", *["Xyzgmbh", "Qrtvhj"] * 30]
    )


def test_a_few_words_that_are_repeated_do_not_condemn_a_page() -> None:
    assert is_language(["Test", "Dokument", *["text", "Text"] * 4])


@pytest.mark.parametrize("by", [1, 3, 13, 23])
def test_shifted_letters_fail_beside_a_script_that_is_not_listed(by: int) -> None:
    letters = string.ascii_lowercase
    shifted = SAMPLES[0].lower().translate(str.maketrans(letters, letters[by:] + letters[:by]))

    assert not is_language([GEORGIAN, shifted, shifted])


@pytest.mark.parametrize(
    ("word", "is_likely"),
    [("RÉSUMÉ", True), ("ČÁSTI", True), ("СОДЕРЖАНИЕ", True), ("სარჩევი", True), ("ՀԱՅԵՐԵՆ", True)]
    + [(letters, False) for letters in ("ABCDE", "АБВГД", "აბგდე", "YNYN", "MTWTFSS")],
)
def test_letters_of_a_word_are_told_from_lists_in_many_alphabets(*, word: str, is_likely: bool) -> None:
    assert (share_of_common_pairs([word]) >= 0.4) is is_likely
