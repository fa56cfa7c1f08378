"""pytesseract and pdf2image, used as in the first examples of their documentation, one document after the other."""

from pathlib import Path

import pytesseract
from pdf2image import convert_from_path
from PIL import Image

from bench.peers.scripts import serve


def read(paths: list[Path], most_pages: int) -> list[str]:
    texts = []
    for path in paths:
        is_pdf = path.suffix == ".pdf"
        images = convert_from_path(path, last_page=most_pages) if is_pdf else [Image.open(path)]
        texts.append("\n".join(pytesseract.image_to_string(image) for image in images))
    return texts


if __name__ == "__main__":
    serve(read)
