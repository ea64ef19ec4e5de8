"""Large files: on their way through the gateway they are not in its memory."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.harness.gateway import KEY
from tests.harness.rig import Rig, config_for, start_gateway
from tests.harness.secrets import Secrets

SIZE = 50 << 20
BOUNDARY = "upload"


def form(model: str, size: int) -> Iterator[bytes]:
    """Give a form whose file comes before the model's name."""
    yield f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode()
    block = b"s" * (64 << 10)
    for _ in range(size // len(block)):
        yield block
    yield f'\r\n--{BOUNDARY}\r\ncontent-disposition: form-data; name="model"\r\n\r\n{model}\r\n'.encode()
    yield f"--{BOUNDARY}--\r\n".encode()


@pytest.mark.slow
def test_a_large_file_is_not_held_in_memory(tmp_path: Path, secrets: Secrets) -> None:
    config = config_for({"echo": {}}, {}, server={"max_upload": "80MiB"})
    with start_gateway(tmp_path, secrets, config) as gateway:
        url = f"{gateway.base_url}/v1/audio/transcriptions"
        headers = {
            "authorization": f"Bearer {KEY}",
            "content-type": f"multipart/form-data; boundary={BOUNDARY}",
        }

        def upload(size: int) -> httpx2.Response:
            return httpx2.post(url, content=form("echo/any", size), headers=headers, timeout=60)

        assert upload(1 << 20).status_code == 200
        before = gateway.resident_bytes()
        most, running = before, True

        def watch() -> None:
            nonlocal most
            while running:
                most = max(most, gateway.resident_bytes())
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            heard = upload(SIZE)
        finally:
            running = False
            watcher.join()
        assert heard.status_code == 200, heard.text
        assert int(heard.json()["text"].split()[0]) > SIZE
        assert most - before < 12 << 20
        assert upload(81 << 20).status_code == 413


def test_a_client_that_leaves_within_its_file_leaves_nothing_behind(rig: Rig) -> None:
    gateway = rig.gateway

    def spooled() -> int:
        """Count open files that have no name."""
        count = 0
        for each in Path(f"/proc/{gateway.serving_pid}/fd").iterdir():
            # One may be closed meanwhile.
            with suppress(FileNotFoundError):
                count += str(each.readlink()).endswith("(deleted)")
        return count

    host, port = gateway.base_url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: 9000000\r\n"
        "x-request-id: left-within-file\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
        for piece, _ in zip(form("echo/any", 2 << 20), range(20), strict=False):
            connection.sendall(piece)
        gateway.eventually(spooled, "the file is spooled")
    line = gateway.line_of("left-within-file")
    assert (line["outcome"], line["status"], line["operation"]) == ("client_cancelled", 499, "transcription")
    assert not spooled()
