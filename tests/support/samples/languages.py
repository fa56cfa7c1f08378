"""Pages in the languages whose models `make test` installs: English, German and Russian."""

from PIL import Image, ImageDraw, ImageFont

TEXTS = {
    "eng": """The committee met on Tuesday to discuss the new timetable
for the railway between the harbour and the old town. Several
members feared that the first train in the morning would leave
too early for those who work in the market. It was agreed that
the matter should be looked at again when the bridge has been
repaired and the weather is better.""",
    "deu": """Der Ausschuss sprach am Dienstag über den neuen Fahrplan der
Eisenbahn zwischen dem Hafen und der Altstadt. Mehrere seiner
Mitglieder fürchten, dass der erste Zug am Morgen für die zu
früh fährt, die auf dem Markt arbeiten. Die Frage soll noch
einmal geprüft werden, wenn die Brücke über den Fluss wieder
offen ist und das Wetter besser.""",
    "rus": """Комитет собрался во вторник, чтобы обсудить расписание
железной дороги между портом и старым городом. Некоторые
опасались, что первый утренний поезд будет отправляться
слишком рано для тех, кто работает на рынке. Было решено
вернуться к этому вопросу весной, когда мост будет готов
и погода станет лучше.""",
}


def sheet(text: str, *, pitch: int = 60) -> Image.Image:
    """A page of these lines, `pitch` pixels from one to the next, with margins."""
    font = ImageFont.truetype("DejaVuSans.ttf", 30)
    lines = text.splitlines()
    image = Image.new("L", (1240, max(800, 240 + pitch * len(lines))), 245)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((100, 120 + pitch * number), line, fill=25, font=font)
    return image


def snippet(text: str) -> Image.Image:
    """A picture of these few words alone."""
    font = ImageFont.truetype("DejaVuSans.ttf", 36)
    image = Image.new("L", (40 + round(font.getlength(text)), 76), 245)
    ImageDraw.Draw(image).text((20, 14), text, fill=25, font=font)
    return image
