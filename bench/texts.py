"""Texts for the pages: sentences without a meaning, names, numbers, bills. Draws nothing."""

import random
import string

COMMON_WORDS = """
the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one
you were all her she there would their we him been has when who will no more if out so what up said about than into
them can only other time new some could these two may first then do any like my now over such our man even most made
after also did many before must through years where much your way well down should because long each just state those
people too how little good world make very year still see own work men day get here between both being under three
never know same last another while us off might great go come since against right came take used himself few house
use place during high without again home around small however found thought went say part once general upon
school every united does got number until always away something fact water though less public put think almost hand
enough far took head yet government system set better told nothing night end why called find going look asked later
point knew next program city business give group toward young days let room president side social given present
several order national possible rather second face per among form often important things looked early white case
large big need four within felt along children saw best church ever least power development light thing seemed family
interest want members mind country area others done turned although open service certain kind problem began different
door thus help sense means whole matter letter harbour market garden winter bridge journey captain evening village
"""
VOCABULARY = COMMON_WORDS.split()

NAMES = ("Anders", "Beatrix", "Corbin", "Delia", "Everett", "Fiona", "Gustav", "Helen", "Ivo", "Judith", "Quentin")

GOODS = ("Bread", "Butter", "Coffee", "Flour", "Honey", "Lemons", "Milk", "Olives", "Rice", "Soap", "Sugar", "Tea")


def prose(chance: random.Random, *, words: int) -> list[str]:
    """Paragraphs of that many words in all: sentences with capitals, names, numbers and full stops."""
    paragraphs: list[list[str]] = [[]]
    left = words
    while left > 0:
        if len(paragraphs[-1]) > 60:
            paragraphs.append([])
        sentence = _sentence(chance, words=min(left, chance.randint(6, 18)))
        left -= len(sentence)
        paragraphs[-1] += sentence
    return [" ".join(paragraph) for paragraph in paragraphs]


def _sentence(chance: random.Random, *, words: int) -> list[str]:
    sentence = chance.choices(VOCABULARY, k=words)
    sentence[0] = sentence[0].capitalize()
    if words > 8:
        sentence[3] = chance.choice(NAMES)
        sentence[5] += ","
    if words > 12:
        sentence[8] = amount(chance)
    sentence[-1] += "."
    return sentence


def title(chance: random.Random) -> str:
    """A heading."""
    return " ".join(word.capitalize() for word in chance.choices(VOCABULARY, k=4))


def line(chance: random.Random) -> str:
    """One line, as on a label or in a field of a form."""
    kinds = (
        lambda: " ".join(chance.choices(VOCABULARY, k=chance.randint(4, 8))).capitalize(),
        lambda: f"{chance.choice(NAMES)} {chance.choice(NAMES)}, {chance.randint(1, 199)} {title(chance)}",
        lambda: f"Invoice {code(chance)} of {date(chance)}",
        lambda: f"Total {amount(chance)} due by {date(chance)}",
    )
    return chance.choice(kinds)()


def bill(chance: random.Random, *, width: int) -> list[str]:
    """The lines of a receipt, each `width` characters wide, with goods on the left and prices on the right."""
    heading = [f"{chance.choice(NAMES)} & {chance.choice(NAMES)}".upper(), f"{date(chance)} No {code(chance)}"]
    items = []
    for _ in range(chance.randint(20, 40)):
        name = f"{chance.randint(1, 9)} {chance.choice(GOODS)} {chance.choice(VOCABULARY)}"
        items.append(f"{name:<{width - 9}}{amount(chance):>9}")
    return [*heading, *items, f"{'TOTAL':<{width - 9}}{amount(chance):>9}", "Thank you and come again"]


def amount(chance: random.Random) -> str:
    return f"{chance.randint(1, 999)}.{chance.randint(0, 99):02}"


def date(chance: random.Random) -> str:
    return f"{chance.randint(1, 28):02}/{chance.randint(1, 12):02}/20{chance.randint(10, 29)}"


def code(chance: random.Random) -> str:
    return f"{''.join(chance.choices(string.ascii_uppercase, k=2))}-{chance.randint(1000, 99999)}"
