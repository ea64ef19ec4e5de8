"""Forms: read alike wherever the network splits them, and never held whole."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.api.multipart import END, Multipart, Part, boundary_of
from app.api.uploads import HELD, Spooled
from app.errors import BadRequest
from providers.forms import render
from providers.types import Content, Upload

FORM = (
    b'a preamble\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--x  \r\n'
    b'content-disposition: form-data; name=file; filename="a\\"b.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n'
    b"\r\n--\r\n--xy\r--x-\r\n--x\r\n"
    b"Content-Disposition: form-data; name=\"empty\"; filename*=UTF-8''%c3%a4.wav\r\n\r\n\r\n--x--\r\nafter"
)
READ = [
    (Part("model", None, "application/octet-stream"), b"m"),
    (Part("file", 'a"b.mp3', "audio/mpeg"), b"\r\n--\r\n--xy\r--x-"),
    (Part("empty", "ä.wav", "application/octet-stream"), b""),
]


def parts(pieces: list[bytes], boundary: bytes = b"x") -> list[tuple[Part, bytes]]:
    reader, found, content = Multipart(boundary), [], b""
    for data in pieces:
        for piece in reader.feed(data):
            if isinstance(piece, Part):
                part, content = piece, b""
            elif piece is END:
                found.append((part, content))
            elif isinstance(piece, bytes):
                content += piece
    assert reader.done
    return found


def test_a_form_reads_alike_wherever_it_is_split() -> None:
    # `--xy` is no delimiter: what follows one is a line's end, spaces or two dashes.
    form = FORM.replace(b"--xy", b"--yx")
    right = [(part, content.replace(b"--xy", b"--yx")) for part, content in READ]
    for at in range(len(form) + 1):
        assert parts([form[:at], form[at:]]) == right
    assert parts([form[at : at + 1] for at in range(len(form))]) == right


@given(name=st.text(min_size=1, max_size=9), text=st.text(max_size=20), file=st.binary(max_size=99))
@example(name="\\", text="", file=b"")
@example(name='a\\"', text="", file=b"")
def test_what_we_write_we_read(name: str, text: str, file: bytes) -> None:
    """Whatever the names and texts are: nothing in them ends a part."""

    class Small:
        size = len(file)

        def pieces(self) -> None: ...

    content: Content = Small()  # type: ignore[assignment]  # its bytes are put in by hand
    upload = Upload("file", name, "audio/mpeg", content)
    media, pieces = render({name: text, "many": [1, True]}, [upload], "switchgear-0f")
    form = b"".join(piece if isinstance(piece, bytes) else file for piece in pieces)
    boundary = boundary_of(media.encode())
    assert boundary == b"switchgear-0f"
    (_, first), (one, _), (two, _), (last, sound) = parts([form], boundary)
    assert first == text.encode(errors="replace")
    assert (one.name, two.name, last.name, sound) == ("many[]", "many[]", "file", file)


def test_what_is_no_form_is_refused() -> None:
    for form in (
        b"--x\r\n\r\n\r\n--x--",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n--x--",
        b'--x\r\nContent-Disposition: attachment; name="a"\r\n\r\n--x--',
        b"--xand more\r\n",
        b"--x\r\n" + b"A: b\r\n" * 3000,
    ):
        with pytest.raises(BadRequest) as caught:
            list(Multipart(b"x").feed(form))
        assert caught.value.code == "invalid_form"
    for kind in (b"", b"application/json", b"multipart/form-data", b"multipart/mixed; boundary=x"):
        assert boundary_of(kind) is None
    assert boundary_of(b'Multipart/Form-Data; charset=utf-8; boundary="a b"') == b"a b"


async def test_a_file_is_read_as_often_as_it_is_sent_and_is_not_held() -> None:
    for size in (0, 10, HELD, HELD + 1, 3 * HELD + 5):
        spooled, data = Spooled(), bytes(range(251)) * (size // 251 + 1)
        for at in range(0, size, 1000):
            await spooled.write(data[at : min(at + 1000, size)])
            assert len(spooled._held) <= HELD + 1000
        await spooled.finish()
        assert spooled.size == size
        for _ in range(2):
            assert b"".join([piece async for piece in spooled.pieces()]) == data[:size]
        assert len(spooled._held) == (size if size <= HELD else 0)
        spooled.close()
