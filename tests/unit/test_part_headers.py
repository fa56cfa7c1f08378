"""File names and boundaries as clients write them."""

import pytest

from docserver.web import part_headers


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'form-data; name="file"; filename="scan 1.png"', "scan 1.png"),
        ('form-data; name="file"; filename="Größe 漢字.png"'.encode(), "Größe 漢字.png"),
        (b'form-data; name="file"; filename="M\xfcller.png"', "Müller.png"),
        (b'form-data; name="file"; filename="M\x81ller.png"', "M\N{REPLACEMENT CHARACTER}ller.png"),
        (b'form-data; name="file"; filename="=?utf-8?B?TcO8bGxlci5wbmc=?="', "Müller.png"),
        (b"form-data; name=file; filename==?UTF-8?q?M=C3=BCller_1?=.png", "Müller 1.png"),
        (b'form-data; filename="=?iso-8859-1?Q?M=FC?= =?iso-8859-1?Q?ller?="', "Müller"),
        (b'form-data; filename="=?ISO-2022-JP?B?GyRCRnxLXBsoQi5wbmc=?="', "日本.png"),
        (b'form-data; filename="=?nonsense?B?TcO8?="', "=?nonsense?B?TcO8?="),
        (b'form-data; filename="=?utf-8?B?T?="', "=?utf-8?B?T?="),
        (b"form-data; filename=\"M_ller.png\"; filename*=UTF-8''M%C3%BCller.png", "Müller.png"),
        (b"form-data; filename*=utf-8''M%C3%BCller.png; filename=M_ller.png", "Müller.png"),
        (b"form-data; filename*=\"UTF-8''M%C3%BCller.png\"", "Müller.png"),
        (b"form-data; filename*=iso-8859-1'en'%A3%20rates", "£ rates"),
        (b"form-data; filename*0*=utf-8''M%C3; filename*1*=%BCller; filename*2=.png", "Müller.png"),
        (b"form-data; filename*=utf-8''whole; filename*0*=utf-8''piece; filename=plain", "plain"),
        (b"form-data; filename*=idna''xn--%80; filename=plain.png", "plain.png"),
        (b"form-data; filename*=utf\x00''x; filename=plain.png", "plain.png"),
        (b"form-data; filename*=utf-8''; filename=plain.png", "plain.png"),
        (b'form-data; NAME="file"; FileName="A.PNG"', "A.PNG"),
        (b"form-data; filename=my file.png; name=file", "my file.png"),
        (b'form-data; filename="a"b.png"', 'a"b.png'),
        (b'form-data; filename="a\\"b;c.png"', 'a"b;c.png'),
        (b'form-data; filename="a%22b 100%20.png"', 'a"b 100%20.png'),
        (b'form-data; filename=""', ""),
        (b'form-data; name="file"', ""),
        (b"form-data; filename*" + b"1" * 5000 + b"=x", ""),
    ],
)
def test_a_file_name_is_what_its_client_means(header: bytes, name: str) -> None:
    assert part_headers.filename(header.decode("latin-1")) == name


@pytest.mark.parametrize("boundary", ["----=_Part_0_12.3", '"a b:c"', "x", '"x"'])
def test_a_boundary_need_not_be_quoted(boundary: str) -> None:
    header = f"multipart/form-data; charset=utf-8; Boundary={boundary}"

    assert dict(part_headers.parameters(header))["boundary"] == boundary.strip('"')
