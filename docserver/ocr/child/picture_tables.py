"""Child side: the tables on a picture of a page that was read by OCR, by its words and by the lines ruled on it."""

from docserver.ocr.image.decode import Picture
from docserver.ocr.image.rule_places import rule_places
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.tables.block_order import in_order_of_places
from docserver.ocr.tables.frame import Frame, frame_of
from docserver.ocr.tables.page import PageTables, tables_of
from docserver.ocr.tables.rules import Rules, rules_of_level


def picture_tables(attempt: Attempt, picture: Picture) -> PageTables:
    """The tables that an attempt has read, and its blocks in their order."""

    def rules(frame: Frame) -> Rules:
        return rules_of_level(rule_places(picture.image, rotation=frame.rotation, skew=frame.skew))

    blocks = attempt.recognised.blocks
    frame = frame_of(blocks, width=picture.image.width, height=picture.image.height, rotation=attempt.rotation)
    return tables_of(in_order_of_places(blocks, frame), frame, rules=rules)
