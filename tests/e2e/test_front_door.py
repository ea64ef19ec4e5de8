"""The front door, over raw sockets: what it refuses, how soon, and that nothing glued on is ever run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.api.front_door import FrontDoorLimits, front_door
from app.api.front_door_head import HostRule
from app.api.porter import Doorkeeper

TIGHT = FrontDoorLimits(
    header_deadline=0.4,
    body_deadline=0.6,
    body_rate_window=0.3,
    write_stall=0.4,
    keep_alive=5,
    linger=0.1,
)
LATE = 10.0
"""Seconds after which a test gives up. Nothing waits so long but a failure."""


@dataclass
class Seen:
    """What reached the application, and how each request ended for it."""

    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    sent: int = 0


class App:
    """A small application: the path says what it does."""

    def __init__(self) -> None:
        self.seen = Seen()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("only http is served here")
        self.seen.paths.append(scope["path"])
        self.seen.headers.append({k.decode(): v.decode("latin-1") for k, v in scope["headers"]})
        action = getattr(self, scope["path"].strip("/").replace("/", "_") or "echo", self.echo)
        await action(scope, receive, send)

    async def read(self, scope: Any, receive: Any) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.seen.left.append(scope["path"])
                return None
            body += message["body"]
            if not message["more_body"]:
                self.seen.bodies.append(bytes(body))
                return bytes(body)

    async def answer(self, send: Any, status: int, body: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def echo(self, scope: Any, receive: Any, send: Any) -> None:
        body = await self.read(scope, receive)
        if body is not None:
            told = {"path": scope["path"], "query": scope["query_string"].decode(), "size": len(body)}
            await self.answer(send, 200, json.dumps(told).encode())

    async def early(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse without a look at the body."""
        await self.answer(send, 413, b"{}")

    async def lazy(self, scope: Any, receive: Any, send: Any) -> None:
        """Ask for the body long after every deadline."""
        await asyncio.sleep(3 * TIGHT.body_deadline)
        await self.echo(scope, receive, send)

    async def slow(self, scope: Any, receive: Any, send: Any) -> None:
        """Stream for longer than any deadline, watching for a disconnect meanwhile."""
        await self.read(scope, receive)
        watcher = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(8):
            await asyncio.sleep(TIGHT.body_deadline / 3)
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        if watcher.done():
            self.seen.left.append(scope["path"])
        watcher.cancel()
        await send({"type": "http.response.body", "body": b"end"})

    async def wait(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing until the client has left."""
        await self.read(scope, receive)
        await self.read(scope, receive)

    async def huge(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with more than any socket buffers, at once."""
        await self.read(scope, receive)
        await self.answer(send, 200, b"x" * 30_000_000)
        self.seen.sent = 30_000_000

    async def flood(self, scope: Any, receive: Any, send: Any) -> None:
        """Send for as long as there is a client."""
        await self.read(scope, receive)
        gone = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 16384, "more_body": True})
            self.seen.sent += 16384
            await asyncio.sleep(0)
        self.seen.left.append(scope["path"])


@dataclass
class Served:
    address: tuple[str, int]
    seen: Seen
    refused: list[tuple[str, str]]
    server: uvicorn.Server

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(LATE)
        client.connect(self.address)
        return client

    def ask(self, data: bytes) -> list[Answer]:
        """Send all of it, and read until the server closes."""
        with self.connect() as client:
            with contextlib.suppress(ConnectionError):
                client.sendall(data)
            return answers(until_closed(client))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


def until_closed(client: socket.socket) -> bytes:
    got = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            got += data
    return bytes(got)


def one_answer(client: socket.socket) -> Answer:
    """Read one answer with a content length off an open connection."""
    got = bytearray()
    while not (parsed := answers(bytes(got), partial=True)):
        data = client.recv(65536)
        assert data, f"closed after {bytes(got)!r}"
        got += data
    return parsed[0]


def answers(data: bytes, *, partial: bool = False) -> list[Answer]:
    found = []
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", len(data)))
        if len(data) < size and partial:
            return found
        status = int(first.split(" ")[1])
        if status != 100:
            found.append(Answer(status, headers, data[:size]))
        data = data[size if status != 100 else 0 :]
    return found


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LATE
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.005)


@contextlib.contextmanager
def serving(
    limits: FrontDoorLimits = TIGHT,
    allowed_hosts: tuple[str, ...] = (),
    loop: Any = "asyncio",
    porter: Doorkeeper | None = None,
) -> Iterator[Served]:
    app = App()
    refused: list[tuple[str, str]] = []
    door = front_door(
        limits,
        HostRule(allowed_hosts),
        refused=lambda request_id, error: refused.append((request_id, error.code)),
        porter=porter,
    )
    config = uvicorn.Config(
        app, http=door, ws="none", loop=loop, lifespan="off", log_config=None, access_log=False,
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield Served(listener.getsockname(), app.seen, refused, server)
    finally:
        server.should_exit = True
        thread.join(LATE)
        listener.close()
        assert not thread.is_alive()
        assert not server.server_state.connections


@pytest.fixture(params=["uvloop", pytest.param("asyncio", marks=pytest.mark.slow)])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(loop=request.param) as server:
        yield server


@pytest.fixture
def patient() -> Iterator[Served]:
    """A server with the default limits."""
    with serving(FrontDoorLimits()) as server:
        yield server


def post(*headers: str, body: bytes = b"", path: str = "/echo", version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def get(path: str = "/echo", *headers: str, host: str | None = "localhost", version: str = "1.1") -> bytes:
    lines = [f"GET {path} HTTP/{version}", *([f"Host: {host}"] if host is not None else []), *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


GLUED = get("/glued")


def assert_refused(server: Served, data: bytes, status: int, code: str) -> None:
    start = time.monotonic()
    (answer,) = server.ask(data)
    assert time.monotonic() - start < 1
    assert (answer.status, answer.code) == (status, code)
    assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    assert "date" in answer.headers
    assert server.refused[-1] == (answer.headers["x-request-id"], code)
    assert "/glued" not in server.seen.paths


# Plain requests.


def test_requests_share_a_connection(served: Served) -> None:
    with served.connect() as client:
        for size in (0, 10, 300_000):
            client.sendall(post(f"Content-Length: {size}", body=b"x" * size))
            answer = one_answer(client)
            assert (answer.status, json.loads(answer.body)["size"]) == (200, size)
            assert "connection" not in answer.headers


def test_chunked_bodies_are_read_in_any_pieces(served: Served) -> None:
    data = post("Transfer-Encoding: chunked", body=b"3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\n\r\n")
    with served.connect() as client:
        for byte in data:
            client.sendall(bytes([byte]))
        assert json.loads(one_answer(client).body)["size"] == 8
        client.sendall(data)
        assert json.loads(one_answer(client).body)["size"] == 8


def test_a_large_body_arrives_whole(served: Served) -> None:
    body = bytes(range(256)) * 40_000
    with served.connect() as client:
        client.sendall(post(f"Content-Length: {len(body)}", body=body))
        assert one_answer(client).status == 200
    assert served.seen.bodies == [body]


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    found = served.ask(
        get("/a") + post("Content-Length: 3", body=b"abc", path="/b") + get("/c", "Connection: close")
    )
    assert [json.loads(answer.body)["path"] for answer in found] == ["/a", "/b", "/c"]


def test_pipelining_is_bounded(served: Served) -> None:
    found = served.ask(get("/a") * 5_000)
    assert 1 <= len(found) <= TIGHT.pipelined + 1
    assert found[-1].headers["connection"] == "close" or len(found) == TIGHT.pipelined + 1
    assert {answer.status for answer in found} == {200}
    assert len(served.seen.paths) == len(found)


def test_a_request_before_the_bad_one_gets_its_answer(served: Served) -> None:
    found = served.ask(get("/a") + b"NONSENSE\r\n\r\n" + GLUED)
    assert [answer.status for answer in found] == [200]
    assert served.seen.paths == ["/a"]


def test_every_waiting_request_learns_that_the_client_left(served: Served) -> None:
    with served.connect() as client:
        client.sendall(get("/wait") + get("/later"))
        eventually(lambda: served.seen.paths == ["/wait"])
    eventually(lambda: served.seen.left == ["/wait"])
    assert served.seen.paths == ["/wait"]


# Framing.


def test_case_01_content_length_and_transfer_encoding(served: Served) -> None:
    data = post("Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + GLUED)
    assert_refused(served, data, 400, "invalid_http")
    data = post("Transfer-Encoding: chunked", "Content-Length: 3", body=b"0\r\n\r\n" + GLUED)
    assert_refused(served, data, 400, "invalid_http")
    assert served.seen.paths == []


@pytest.mark.parametrize(
    "lengths", [["3", "3"], ["3", "4"], ["+3"], ["-1"], ["3, 3"], ["0x3"], ["3 3"], ["9" * 30], [""]]
)
def test_case_01_content_lengths(patient: Served, lengths: list[str]) -> None:
    data = post(*(f"Content-Length: {value}" for value in lengths), body=b"abc" + GLUED)
    assert_refused(patient, data, 400, "invalid_http")


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"fffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"3;" + b"x" * 65536 + b"\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(2_000)) + b"\r\n",
        b"3\r\nabc\r\n0\r\nx: " + b"y" * 65536 + b"\r\n\r\n",
    ],
    ids=["terminator", "hex", "sign", "overflow", "bare-lf", "extension", "trailers", "trailer"],
)
def test_case_02_bad_chunks(served: Served, body: bytes) -> None:
    start = time.monotonic()
    (answer,) = served.ask(post("Transfer-Encoding: chunked", body=body + GLUED))
    assert time.monotonic() - start < 1
    assert answer.status == 400
    assert answer.code in {"invalid_http", "invalid_framing"}
    eventually(lambda: served.seen.left == served.seen.paths)
    assert "/glued" not in served.seen.paths
    assert served.seen.bodies == []


def test_case_02_a_fault_that_comes_with_the_head_never_reaches_the_application(served: Served) -> None:
    (answer,) = served.ask(post("Transfer-Encoding: chunked", body=b"oops\r\n"))
    assert answer.status == 400
    served.ask(get("/after", "Connection: close"))
    assert served.seen.paths == ["/after"]


def test_case_02_a_fault_later_in_the_body_ends_the_request_for_the_application(served: Served) -> None:
    with served.connect() as client:
        client.sendall(post("Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"))
        eventually(lambda: served.seen.paths == ["/echo"])
        client.sendall(b"oops\r\n" + GLUED)
        (answer,) = answers(until_closed(client))
    assert (answer.status, answer.code) == (400, "invalid_http")
    eventually(lambda: served.seen.left == ["/echo"])
    assert served.seen.paths == ["/echo"]


def test_case_02_trailers_do_not_become_headers(served: Served) -> None:
    body = b"3\r\nabc\r\n0\r\nx-forged: 1\r\nauthorization: Bearer x\r\n\r\n"
    with served.connect() as client:
        client.sendall(post("Transfer-Encoding: chunked", body=body) + get("/next"))
        assert one_answer(client).status == 200
        eventually(lambda: len(served.seen.headers) == 2)
    assert all(
        "x-forged" not in headers and "authorization" not in headers for headers in served.seen.headers
    )


@pytest.mark.parametrize(
    "encodings",
    [
        ["xchunked"],
        ["chunked, identity"],
        ["identity"],
        ["gzip, chunked"],
        ["chunked", "chunked"],
        ["\x0bchunked"],
        [""],
    ],
)
def test_case_04_transfer_encodings(patient: Served, encodings: list[str]) -> None:
    data = post(*(f"Transfer-Encoding: {value}" for value in encodings), body=b"0\r\n\r\n" + GLUED)
    (answer,) = patient.ask(data)
    assert answer.status == 400
    assert patient.seen.paths == []


def test_case_04_transfer_encoding_on_http_1_0(served: Served) -> None:
    data = post("Transfer-Encoding: chunked", body=b"0\r\n\r\n" + GLUED, version="1.0")
    assert_refused(served, data, 400, "invalid_framing")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx: \x00\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_our_error(patient: Served, data: bytes) -> None:
    assert_refused(patient, data + GLUED, 400, "invalid_http")


# Host and target.

HOSTILE = [
    "localhost/?#@evil",
    "user@localhost",
    "localhost:80:80",
    "a b",
    "a,b",
    "",
    "[::1",
    "local\x80host",
    "a/b",
]


@pytest.mark.parametrize("allowed", [(), ("localhost",)])
def test_case_06_host_tricks(allowed: tuple[str, ...]) -> None:
    with serving(allowed_hosts=allowed) as server:
        assert_refused(server, get(host=None), 400, "invalid_host")
        assert_refused(server, get("/echo", "Host: localhost"), 400, "invalid_host")
        for host in HOSTILE:
            assert_refused(server, get(host=host), 400, "invalid_host")
        for target in ("http://user@localhost/x", "http://evil/x", "http:///x", "http://localhost@evil/x"):
            assert_refused(server, get(target), 400, "invalid_host")
        for target in ("ftp://localhost/x", "localhost:80", "/x#y", "http:/x"):
            (answer,) = server.ask(get(target))
            assert answer.status == 400
        assert server.seen.paths == []


def test_case_06_only_allowed_hosts_are_served() -> None:
    with serving(allowed_hosts=("api.test", "*.example.com")) as server:
        for host in ("api.test", "API.test:4000", "a.example.com", "a.b.example.com", "api.test."):
            (answer,) = server.ask(get("/echo", "Connection: close", host=host))
            assert answer.status == 200, host
        for host in ("localhost", "example.com", "evilexample.com", "api.test.evil", "127.0.0.1"):
            assert_refused(server, get(host=host), 400, "invalid_host")
        assert_refused(server, get(host=None, version="1.0"), 400, "invalid_host")
        assert_refused(server, get("http://evil/x", host=None, version="1.0"), 400, "invalid_host")


def test_case_06_absolute_targets_are_read_as_their_path(served: Served) -> None:
    data = get("http://localhost/x%20y?a=/b", "Connection: close")
    (answer,) = served.ask(data)
    assert json.loads(answer.body) == {"path": "/x y", "query": "a=/b", "size": 0}
    (answer,) = served.ask(get("http://localhost?q", "Connection: close"))
    assert json.loads(answer.body) == {"path": "/", "query": "q", "size": 0}


def test_connect_is_refused(served: Served) -> None:
    assert_refused(served, get("evil:443").replace(b"GET", b"CONNECT") + GLUED, 400, "invalid_target")


@pytest.mark.parametrize("host", ["[::1]:4000", "127.0.0.1", "my_service:80", "localhost:"])
def test_plain_hosts_are_taken(served: Served, host: str) -> None:
    (answer,) = served.ask(get("/echo", "Connection: close", host=host))
    assert answer.status == 200


# Sizes.


def test_case_08_header_bounds(served: Served) -> None:
    for headers in (
        [f"x: {'y' * 65536}"],
        [f"{'x' * 65536}: y"],
        [f"x: {'y' * 8 * 1024 * 1024}"],
        [f"x: {' ' * 65536}"],
        [f"x-{n}: y" for n in range(20_000)],
        [f"x-{n}: {'y' * 1000}" for n in range(40)],
    ):
        assert_refused(served, get("/echo", *headers) + GLUED, 431, "headers_too_large")
    assert_refused(served, get("/" + "x" * 1024 * 1024) + GLUED, 414, "uri_too_long")
    assert_refused(served, b"\r\n" * 65536, 431, "headers_too_large")
    assert served.seen.paths == []


def test_case_08_what_fits_passes(served: Served) -> None:
    (answer,) = served.ask(
        get("/" + "x" * 8000, *(f"x-{n}: {'y' * 300}" for n in range(97)), "Connection: close")
    )
    assert answer.status == 200
    assert len(served.seen.headers[0]) == 99


def test_case_08_the_bounds_hold_again_for_every_request(served: Served) -> None:
    with served.connect() as client:
        for _ in range(3):
            client.sendall(get("/echo", f"x: {'y' * 30_000}"))
            assert one_answer(client).status == 200
        client.sendall(get("/echo", f"x: {'y' * 40_000}"))
        assert one_answer(client).status == 431


def test_case_08_a_refused_header_is_not_stored(patient: Served) -> None:
    piece = b"y" * 65536
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        clients = [patient.connect() for _ in range(8)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nx: ")
        for _ in range(128):
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    client.sendall(piece)
        eventually(lambda: len(patient.refused) == len(clients))
        assert tracemalloc.get_traced_memory()[1] - before < len(clients) * 1024 * 1024
    finally:
        tracemalloc.stop()
    for client in clients:
        client.close()


# Slowness.


def test_case_09_silence_is_closed_without_a_word(served: Served) -> None:
    start = time.monotonic()
    with served.connect() as client:
        assert until_closed(client) == b""
    assert TIGHT.header_deadline - 0.05 < time.monotonic() - start < TIGHT.header_deadline + 1
    assert served.refused == []


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nHost: loc", get()[:-1]])
def test_case_09_half_a_head_is_a_timeout(served: Served, start: bytes) -> None:
    began = time.monotonic()
    (answer,) = served.ask(start)
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert time.monotonic() - began < TIGHT.header_deadline + 1


@pytest.mark.parametrize("drip", [b"x", b"x: y\r\n", b"\r\n"])
def test_case_09_a_dripping_head_is_a_timeout(served: Served, drip: bytes) -> None:
    began = time.monotonic()
    with served.connect() as client:
        client.settimeout(0.02)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" if drip.strip() else b"")
        got = b""
        while time.monotonic() - began < LATE:
            try:
                client.sendall(drip)
                data = client.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not data:
                break
            got += data
    assert time.monotonic() - began < TIGHT.header_deadline + 1
    assert [answer.status for answer in answers(got)] == ([408] if drip.strip() else [])


def test_case_09_a_later_request_has_the_same_deadline(served: Served) -> None:
    with served.connect() as client:
        client.sendall(get())
        assert one_answer(client).status == 200
        began = time.monotonic()
        client.sendall(b"GET / HT")
        (answer,) = answers(until_closed(client))
    assert answer.status == 408
    assert TIGHT.header_deadline - 0.05 < time.monotonic() - began < TIGHT.header_deadline + 1


def test_case_09_slow_clients_do_not_slow_the_others(served: Served) -> None:
    silent = [served.connect() for _ in range(200)]
    with served.connect() as client:
        for _ in range(50):
            client.sendall(get())
            assert one_answer(client).status == 200
    for slow in silent:
        assert until_closed(slow) == b""
        slow.close()


def test_case_09_a_stream_outlives_every_deadline(served: Served) -> None:
    (answer,) = served.ask(post("Content-Length: 3", "Connection: close", body=b"abc", path="/slow"))
    assert answer.body.count(b"tick") == 8
    assert b"end" in answer.body
    assert served.seen.left == []


@pytest.mark.slow
def test_case_09_half_a_next_head_does_not_cut_a_stream(served: Served) -> None:
    (answer,) = served.ask(get("/slow") + b"GET /glued HTTP/1.1\r\nHo")
    assert b"end" in answer.body
    assert served.seen.paths == ["/slow"]


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_case_10_a_body_that_never_comes(served: Served, framing: str) -> None:
    start = time.monotonic()
    (answer,) = served.ask(post(framing))
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"
    assert TIGHT.body_rate_window - 0.05 < time.monotonic() - start < TIGHT.body_deadline + 1
    eventually(lambda: served.seen.left == ["/echo"])
    assert served.seen.bodies == []


def drip_body(client: socket.socket, piece: bytes, pause: float) -> bytes:
    """Send pieces until the server says something."""
    client.settimeout(pause)
    end = time.monotonic() + LATE
    while time.monotonic() < end:
        try:
            client.sendall(piece)
            data = client.recv(65536)
        except TimeoutError:
            continue
        client.settimeout(LATE)
        return data + until_closed(client)
    raise AssertionError("the server said nothing")


def test_case_10_a_dripping_body(served: Served) -> None:
    with served.connect() as client:
        client.sendall(post("Content-Length: 1000000"))
        (answer,) = answers(drip_body(client, b"x", 0.02))
    assert (answer.status, answer.code) == (408, "request_timeout")
    eventually(lambda: served.seen.left == ["/echo"])


@pytest.mark.slow
def test_case_10_a_steady_body_may_take_longer_than_the_deadline(served: Served) -> None:
    size = 200 * 150
    start = time.monotonic()
    with served.connect() as client:
        client.sendall(post(f"Content-Length: {size}"))
        client.settimeout(0.01)
        for _ in range(150):
            client.sendall(b"x" * 200)
            with contextlib.suppress(TimeoutError):
                client.recv(1, socket.MSG_PEEK)
        client.settimeout(LATE)
        assert json.loads(one_answer(client).body)["size"] == size
    assert time.monotonic() - start > TIGHT.body_deadline


@pytest.mark.slow
def test_case_10_our_own_slowness_is_not_the_clients(served: Served) -> None:
    body = b"x" * 1_000_000
    with served.connect() as client:
        client.sendall(post(f"Content-Length: {len(body)}", body=body, path="/lazy"))
        assert json.loads(one_answer(client).body)["size"] == len(body)


def test_case_11_an_early_refusal_reaches_a_client_that_is_still_sending(served: Served) -> None:
    with served.connect() as client:
        client.sendall(post("Content-Length: 1073741824", path="/early"))
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                client.sendall(b"x" * 65536)
        (answer,) = answers(until_closed(client))
    assert answer.status == 413
    assert answer.headers["connection"] == "close"


def test_case_11_an_early_refusal_is_not_followed_by_a_reset(served: Served) -> None:
    with served.connect() as client:
        client.sendall(post("Content-Length: 1073741824", path="/early"))
        got = client.recv(65536)
        client.sendall(b"x" * 65536)
        while data := client.recv(65536):  # a reset would raise here
            got += data
    assert [answer.status for answer in answers(got)] == [413]


def test_case_13_no_continue_before_the_application_asks(served: Served) -> None:
    with served.connect() as client:
        client.sendall(post("Content-Length: 5", "Expect: 100-continue", path="/early"))
        got = until_closed(client)
    assert got.startswith(b"HTTP/1.1 413 ")
    with served.connect() as client:
        client.sendall(post("Content-Length: 5", "Expect: 100-continue"))
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert one_answer(client).status == 200


def test_case_83_a_client_that_does_not_read_is_dropped(served: Served) -> None:
    with served.connect(receive_buffer=4096) as client:
        client.sendall(get("/flood"))
        eventually(lambda: served.seen.left == ["/flood"])
        with contextlib.suppress(ConnectionError):
            until_closed(client)


def test_case_83_what_a_closing_connection_still_holds_is_dropped_too(served: Served) -> None:
    with served.connect(receive_buffer=4096) as client:
        client.sendall(get("/huge", "Connection: close"))
        eventually(lambda: served.seen.sent > 0)
        eventually(lambda: not served.server.server_state.connections)
        with contextlib.suppress(ConnectionError):
            assert len(until_closed(client)) < served.seen.sent


def test_case_83_a_large_answer_to_a_steady_reader_arrives_whole(served: Served) -> None:
    with served.connect() as client:
        client.sendall(get("/huge", "Connection: close"))
        eventually(lambda: served.seen.sent > 0)
        (answer,) = answers(until_closed(client))
    assert len(answer.body) == served.seen.sent


@pytest.mark.slow
def test_case_83_a_slow_reader_that_keeps_reading_is_served(served: Served) -> None:
    with served.connect(receive_buffer=65536) as client:
        client.sendall(get("/flood"))
        got = 0
        end = time.monotonic() + 3 * TIGHT.write_stall
        while time.monotonic() < end:
            got += len(client.recv(65536))
        assert served.seen.left == []
    eventually(lambda: served.seen.left == ["/flood"])
    assert got > 65536


# Upgrades, and leaving.


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_upgrade_is_answered_as_plain_http(served: Served, protocol: str) -> None:
    upgrade = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAA"]
    with served.connect() as client:
        client.sendall(get("/echo", *upgrade, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAA"))
        assert one_answer(client).status == 200
        # The body of a request that asks for an upgrade is its body, not another protocol's bytes.
        client.sendall(post(*upgrade, f"Content-Length: {len(GLUED)}", body=GLUED))
        assert json.loads(one_answer(client).body)["size"] == len(GLUED)
        client.sendall(get())
        assert one_answer(client).status == 200
    assert served.seen.paths == ["/echo"] * 3


def test_an_upgrade_does_not_escape_the_bounds(served: Served) -> None:
    upgrade = ["Connection: Upgrade", "Upgrade: websocket"]
    assert_refused(served, get("/echo", *upgrade, "Transfer-Encoding: identity"), 400, "invalid_framing")
    found = served.ask(get("/a", *upgrade) * 5_000)
    assert 1 <= len(found) <= TIGHT.pipelined + 1


@pytest.mark.slow
def test_case_115_answers_while_stopping_say_close() -> None:
    with serving() as server, server.connect() as client, server.connect() as idle, server.connect() as half:
        idle.sendall(get())
        assert one_answer(idle).status == 200
        half.sendall(get()[:-2])
        client.sendall(post("Content-Length: 3", path="/lazy", body=b"abc"))
        eventually(lambda: "/lazy" in server.seen.paths)
        server.server.should_exit = True
        assert until_closed(idle) == b""
        with contextlib.suppress(ConnectionError):
            half.sendall(b"\r\n")
        for each in (client, half):
            (answer,) = answers(until_closed(each))
            assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_the_door_opens_no_file_and_starts_no_thread() -> None:
    with serving() as server:
        before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
        for _ in range(50):
            assert server.ask(b"x\r\n\r\n")[0].status == 400
        if before:
            eventually(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)
