"""How many misread words a search finds, in several languages, and how many other words beside them."""

import random
from collections.abc import Mapping, Sequence
from itertools import permutations
from types import MappingProxyType

from docserver.search.folding import likeness

WRONG_LETTERS = 0.05

TRIES = 200
"""For each word."""

LOOKS_ALIKE = {"m": "rn", "o": "0", "l": "1", "I": "l", "s": "5", "S": "5", "O": "0", "1": "l", "0": "O", "5": "S"}
# Cyrillic and Greek letters are read as Latin ones.
LOOKS_ALIKE |= dict(zip("ßаеорсухкαγηικνορυχω", "Baeopcyxkaynikvopuxw", strict=True))

TEXTS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "English": [
            "invoice",
            "number",
            "total",
            "amount",
            "due",
            "payment",
            "order",
            "customer",
            "delivery",
            "address",
            "account",
            "balance",
            "company",
            "street",
            "contract",
            "period",
            "notice",
            "office",
            "report",
            "service",
            "office",
            "please",
            "within",
            "days",
            "thank",
        ],
        "German": [
            "Rechnung",
            "Nummer",
            "Betrag",
            "Zahlung",
            "Kunde",
            "Lieferung",
            "Anschrift",
            "Konto",
            "Vertrag",
            "Frist",
            "Bericht",
            "Firma",
            "Straße",
            "Angebot",
            "Steuer",
            "Summe",
            "Mahnung",
            "Auftrag",
            "bitte",
            "innerhalb",
            "Tage",
            "danke",
            "Versicherung",
        ],
        "French": [
            "facture",
            "numéro",
            "montant",
            "paiement",
            "client",
            "livraison",
            "adresse",
            "compte",
            "contrat",
            "délai",
            "rapport",
            "société",
            "rue",
            "offre",
            "impôt",
            "somme",
            "commande",
            "merci",
            "jours",
            "pendant",
            "assurance",
            "échéance",
        ],
        "Russian": [
            "счёт",
            "номер",
            "сумма",
            "оплата",
            "клиент",
            "доставка",
            "адрес",
            "договор",
            "срок",
            "отчёт",
            "компания",
            "улица",
            "предложение",
            "налог",
            "заказ",
            "спасибо",
            "дней",
            "страхование",
            "остаток",
            "услуга",
        ],
        "Greek": [
            "τιμολόγιο",
            "αριθμός",
            "ποσό",
            "πληρωμή",
            "πελάτης",
            "παράδοση",
            "διεύθυνση",
            "σύμβαση",
            "προθεσμία",
            "έκθεση",
            "εταιρεία",
            "οδός",
            "προσφορά",
            "φόρος",
            "παραγγελία",
            "ευχαριστώ",
            "ημέρες",
            "ασφάλεια",
        ],
        "Turkish": [
            "fatura",
            "numara",
            "tutar",
            "ödeme",
            "müşteri",
            "teslimat",
            "adres",
            "hesap",
            "sözleşme",
            "süre",
            "rapor",
            "şirket",
            "sokak",
            "teklif",
            "vergi",
            "sipariş",
            "teşekkür",
            "günler",
            "sigorta",
            "bakiye",
        ],
    }
)


def table() -> str:
    """For each language, the share of words with wrong letters that are found: one by one, and on a page that has the
    word three times; and the share of pairs of different words that are taken for one another.
    """
    lines = [
        "| language | found, of single words | of words that a page has three times | other words |",
        "|---|---:|---:|---:|",
    ]
    for language, words in TEXTS.items():
        chance = random.Random(3)
        letters = sorted(set("".join(words)))
        found = [
            likeness(word, _misread(word, letters, chance), fuzzy=True) is not None
            for word in words
            for _ in range(TRIES)
        ]
        single = sum(found) / len(found)
        per_word = [sum(found[first : first + TRIES]) / TRIES for first in range(0, len(found), TRIES)]
        thrice = sum(1 - (1 - share) ** 3 for share in per_word) / len(per_word)
        pairs = [likeness(*pair, fuzzy=True) is not None for pair in permutations(set(words), 2)]
        lines.append(f"| {language} | {single:.1%} | {thrice:.2%} | {sum(pairs) / len(pairs):.2%} |")
    return "\n".join(lines)


def _misread(word: str, letters: Sequence[str], chance: random.Random) -> str:
    """A word in which each letter is wrong with this probability: half of the time one that looks like it, if any."""
    return "".join(_read(letter, letters, chance) for letter in word)


def _read(letter: str, letters: Sequence[str], chance: random.Random) -> str:
    if chance.random() >= WRONG_LETTERS:
        return letter
    alike = LOOKS_ALIKE.get(letter)
    return alike if alike and chance.random() < 0.5 else chance.choice(letters)
