"""kreuzberg as a library, with its own choice of parallel work; without its cache, so that it reads every time."""

from pathlib import Path

from kreuzberg import ExtractionConfig, OcrConfig, batch_extract_files_sync

from bench.peers.scripts import serve


def read(paths: list[Path], _most_pages: int) -> list[str]:
    config = ExtractionConfig(ocr=OcrConfig(backend="tesseract", language="eng"), use_cache=False)
    return [result.content for result in batch_extract_files_sync([str(path) for path in paths], config=config)]


if __name__ == "__main__":
    serve(read)
