"""RapidOCR, used as in the first example of its documentation, one picture after the other."""

from pathlib import Path

from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from bench.peers.scripts import serve


def read(paths: list[Path], _most_pages: int) -> list[str]:
    engine = RapidOCR(params={"Global.log_level": "critical"})
    found = [engine(path) for path in paths]
    return ["\n".join(each.txts or ()) if isinstance(each, RapidOCROutput) else "" for each in found]


if __name__ == "__main__":
    serve(read)
