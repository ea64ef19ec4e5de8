"""What carries requests: causes told apart, addresses kept to, proxies, certificates. Each transport alike, on uvloop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import resource
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from app.config.pool import Pool, Tls
from app.config.tls import TlsContexts, context
from app.gateway.resolver import Address, Resolver
from app.gateway.transports import carrier
from app.gateway.upstream import Answer, Upstream
from providers.errors import (
    Disconnected,
    MalformedResponse,
    Redirected,
    ResponseTooLarge,
    StreamTruncated,
    Unreachable,
    UpstreamError,
)
from providers.types import HttpRequest
from tests.harness import actions as act
from tests.harness.proxy import Proxy
from tests.harness.tls import CA, CLIENT, server_tls
from tests.harness.upstream import Action, Slot
from tests.harness.upstream import Upstream as Provider

ANSWER = act.golden("openai/chat_response.json")
CONTEXTS = TlsContexts()
CONNECT = 0.4
"""Seconds for a connection."""
Ask = Callable[..., Awaitable[bytes]]


@pytest.fixture(params=["lean", "httpx2"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def safe_provider() -> Iterator[Provider]:
    with Provider(server_tls()) as running:
        yield running


@pytest.fixture
def slot(provider: Provider, request: pytest.FixtureRequest) -> Slot:
    return provider.slot(f"slot-{abs(hash(request.node.name))}")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


class Names(Resolver):
    """Gives what it was told to, answer after answer; the last one for ever."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int) -> list[Address]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in answer]


@contextlib.asynccontextmanager
async def upstream(
    kind: str, *, allow_private: bool = True, resolver: Resolver | None = None, **pool: Any
) -> AsyncIterator[Upstream]:
    settings = Pool(transport=kind, **pool)
    tls = CONTEXTS.of(settings.tls)
    opened = Upstream(carrier(settings, tls, allow_private=allow_private, resolver=resolver), connect=CONNECT)
    try:
        yield opened
    finally:
        await opened.close()


async def ask(opened: Upstream, url: str, model: str) -> Answer:
    return await opened.send(
        HttpRequest(
            "POST", f"{url}/v1/x", (("accept-encoding", "identity"),), b'{"model":"%b"}' % model.encode()
        )
    )


async def read(opened: Upstream, url: str, model: str) -> bytes:
    async with await ask(opened, url, model) as answer:
        return await answer.read()


def read_once(kind: str, url: str, model: str, **settings: Any) -> bytes:
    async def work() -> bytes:
        async with upstream(kind, **settings) as opened:
            return await read(opened, url, model)

    body: bytes = run(work())
    return body


# Causes


def test_case_59_a_refused_connection(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable):
            read_once(kind, f"http://127.0.0.1:{taken.getsockname()[1]}", "any")


def test_a_name_that_means_nothing(kind: str) -> None:
    unknown = Names(socket.gaierror(-2, "Name or service not known"))
    with pytest.raises(Unreachable):
        read_once(kind, "http://none.test:80", "any", resolver=unknown)


def test_case_60_a_name_server_that_says_nothing(kind: str) -> None:
    class Silent(Names):
        async def resolve(self, host: str, port: int) -> list[Address]:
            await asyncio.sleep(60)
            raise AssertionError

    began = time.monotonic()
    with pytest.raises(Unreachable):
        read_once(kind, "http://slow.test:80", "any", resolver=Silent([]))
    assert time.monotonic() - began < CONNECT + 2


def test_case_60_a_tls_server_that_says_nothing_and_then_heals(kind: str, safe_provider: Provider) -> None:
    slot = safe_provider.slot(f"heals-{kind}")
    slot.script(act.reply(ANSWER))

    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
            port = silent.getsockname()[1]
            async with upstream(kind, resolver=Names(["127.0.0.1"]), tls={"ca_file": CA}) as opened:
                stalled = [
                    asyncio.create_task(ask(opened, f"https://localhost:{port}", "any")) for _ in range(60)
                ]
                await asyncio.sleep(CONNECT / 4)
                for leaving in stalled[:30]:
                    leaving.cancel()
                began = time.monotonic()
                ends = await asyncio.gather(*stalled, return_exceptions=True)
                assert time.monotonic() - began < CONNECT + 2
                assert {type(end) for end in ends} == {asyncio.CancelledError, Unreachable}
                # The same connections' owner goes on as if nothing had been.
                assert (
                    await read(opened, safe_provider.url.replace("127.0.0.1", "localhost"), slot.name)
                    == ANSWER
                )

    run(work())


def test_an_untrusted_certificate(kind: str, safe_provider: Provider) -> None:
    with pytest.raises(Unreachable):
        read_once(kind, safe_provider.url, "any")


def test_a_certificate_of_another_name(kind: str, safe_provider: Provider) -> None:
    url = f"https://other.test:{safe_provider.port}"
    with pytest.raises(Unreachable):
        read_once(kind, url, "any", tls={"ca_file": CA}, resolver=Names(["127.0.0.1"]))


LENGTH = {"content-type": "application/json", "content-length": "100"}
BROKEN: dict[str, tuple[Action, type[UpstreamError]]] = {
    "FIN after the request": ([act.close], Disconnected),
    "RST after the request": ([act.reset], Disconnected),
    "FIN in the head": ([act.send(b"HTTP/1.1 200 OK\r\nx: "), act.close], Disconnected),
    "FIN in a body with a length": ([act.head(200, LENGTH), act.send(b"{"), act.close], StreamTruncated),
    "FIN in a chunked body": (act.stream_of([b"data: x\n\n"], [act.close]), StreamTruncated),
    "no HTTP": ([act.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), act.hang], MalformedResponse),
    "two lengths": (
        [act.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"), act.hang],
        MalformedResponse,
    ),
    "redirect": (act.redirect(307, "http://127.0.0.1:9/elsewhere"), Redirected),
    "gzip": (act.gzip_reply(b"0" * 1_000_000), MalformedResponse),
    "64 encodings": (
        act.reply(ANSWER, headers={"content-encoding": ", ".join(["gzip"] * 64)}),
        MalformedResponse,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_causes_are_told_apart(kind: str, provider: Provider, slot: Slot, name: str) -> None:
    action, error = BROKEN[name]
    slot.script(action)
    with pytest.raises(error) as raised:
        read_once(kind, provider.url, slot.name)
    assert type(raised.value) is error
    assert "127.0.0.1" not in str(raised.value)


@pytest.mark.parametrize("nonsense", [b"zz\r\n{}\r\n", b"5\r\nabcdefgh"])
def test_case_74_a_chunk_that_is_none_ends_the_body(
    kind: str, provider: Provider, slot: Slot, nonsense: bytes
) -> None:
    slot.script(act.stream_of([b"data: x\n\n"], [act.stall(0.05), act.send(nonsense), act.hang]))
    with pytest.raises((StreamTruncated, MalformedResponse)):
        read_once(kind, provider.url, slot.name)


# Bombs


def many_headers(count: int) -> Action:
    lines = b"".join(b"x-%d: 1\r\n" % number for number in range(1000))
    return [act.send(b"HTTP/1.1 200 OK\r\n"), *[act.send(lines)] * (count // 1000), act.hang]


BOMBS: dict[str, Action] = {
    "10^6 headers": many_headers(1_000_000),
    "a header without end": [
        act.send(b"HTTP/1.1 200 OK\r\nx: "),
        *[act.send(b"a" * 65_536)] * 2000,
        act.hang,
    ],
    "a status line without end": [*[act.send(b"HTTP/1.1 200 " + b"a" * 65_536)] * 2000, act.hang],
    "10 GiB": act.endless_body(),
    "a trailer without end": [
        act.head(200, {"transfer-encoding": "chunked"}),
        act.send(b"0\r\nx: "),
        *[act.send(b"a" * 65_536)] * 2000,
        act.hang,
    ],
}
STALL = 0.05
"""Seconds for which nothing else may run."""


@pytest.mark.parametrize(
    "name",
    [
        "10^6 headers",
        *(pytest.param(name, marks=pytest.mark.slow) for name in BOMBS if name != "10^6 headers"),
    ],
)
def test_case_68_a_bomb_is_bounded_in_memory_and_time(
    kind: str, provider: Provider, slot: Slot, name: str
) -> None:
    slot.script(BOMBS[name])

    async def work() -> float:
        worst = asyncio.create_task(longest_stall())
        async with upstream(kind) as opened:
            with pytest.raises((MalformedResponse, ResponseTooLarge, StreamTruncated)):
                await read(opened, provider.url, slot.name)
        worst.cancel()
        return await worst

    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stalled = run(work())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    assert grown < 64 + 32, f"{grown} MiB more were held"
    assert stalled < STALL, f"nothing else ran for {stalled:.3f} s"


async def longest_stall() -> float:
    """Measure until cancelled how late a timer was at worst."""
    worst = 0.0
    try:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.002)
            # The processor time of this thread alone: other processes of a busy machine do not count.
            worst = max(worst, time.thread_time() - began)
    except asyncio.CancelledError:
        return worst


# Addresses


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["169.254.169.254"]])
def test_case_54_a_name_that_leads_inside_is_not_connected_to(
    kind: str, provider: Provider, answers: list[str]
) -> None:
    before = provider.connections
    with pytest.raises(Unreachable):
        read_once(
            kind, f"http://inside.test:{provider.port}", "any", allow_private=False, resolver=Names(answers)
        )
    assert provider.connections == before


def test_case_54_a_name_that_changes_its_mind(kind: str, provider: Provider) -> None:
    """Each connection is made to what was checked for it: a first answer that is public buys nothing later."""
    before = provider.connections
    names = Names(["192.0.2.1", "8.8.8.8"], ["127.0.0.1"])

    async def work() -> None:
        async with upstream(kind, allow_private=False, resolver=names) as opened:
            for _ in range(2):
                with pytest.raises(Unreachable):
                    await ask(opened, f"http://rebinds.test:{provider.port}", "any")

    # The first answer is left to fail: nothing here talks past loopback.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiohappyeyeballs.start_connection", _refuse)
        run(work())
    assert provider.connections == before


async def _refuse(addr_infos: Any, **_: Any) -> socket.socket:
    assert [address[4][0] for address in addr_infos] == ["8.8.8.8"], "an address that is not public was tried"
    raise ConnectionRefusedError


def test_case_54_the_proxy_must_be_public_too(provider: Provider) -> None:
    with Proxy() as proxy:
        named = f"http://proxy.test:{proxy.port}"
        with pytest.raises(Unreachable):
            read_once(
                "auto", provider.url, "any", allow_private=False, resolver=Names(["127.0.0.1"]), proxy=named
            )
        assert proxy.asked == []


# Connections


def test_connections_are_kept_as_long_as_is_said(kind: str, provider: Provider, slot: Slot) -> None:
    slot.script(act.reply(ANSWER))

    async def work() -> None:
        async with upstream(kind, keepalive="300ms") as opened:
            await read(opened, provider.url, slot.name)
            await read(opened, provider.url, slot.name)
            await asyncio.sleep(0.7)
            await read(opened, provider.url, slot.name)

    run(work())
    first, second, third = (received.connection for received in slot.requests)
    assert first == second != third


def test_a_kept_connection_that_was_closed_is_not_used_again(
    kind: str, provider: Provider, slot: Slot
) -> None:
    slot.script([*act.reply(ANSWER), act.close], act.reply(ANSWER))

    async def work() -> None:
        async with upstream(kind) as opened:
            await read(opened, provider.url, slot.name)
            while provider.open_connections:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.01)  # a turn of the loop, which finds the end that has come
            assert await read(opened, provider.url, slot.name) == ANSWER

    run(work())


def test_closing_leaves_no_connection(kind: str, provider: Provider, slot: Slot) -> None:
    slot.script(act.reply(ANSWER))
    read_once(kind, provider.url, slot.name)
    deadline = time.monotonic() + 5
    while provider.open_connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert provider.open_connections == 0


def test_a_large_request_reaches_a_provider_that_takes_its_time(kind: str, safe_provider: Provider) -> None:
    slot = safe_provider.slot(f"large-{kind}")
    slot.script(act.reply(ANSWER))
    filling = b"x" * 900_000

    async def work() -> None:
        async with upstream(kind, tls={"ca_file": CA}) as opened:
            body = b'{"model":"%b","x":"%b"}' % (slot.name.encode(), filling)
            request = HttpRequest("POST", f"{safe_provider.url}/v1/x", (), body)
            async with await opened.send(request) as answer:
                assert await answer.read() == ANSWER

    run(work())
    assert len(slot.last.body) > len(filling)


def test_a_large_answer_arrives_whole(kind: str, safe_provider: Provider) -> None:
    slot = safe_provider.slot(f"whole-{kind}")
    body = bytes(range(256)) * (16 << 10)
    slot.script(act.reply(body))
    assert read_once(kind, safe_provider.url, slot.name, tls={"ca_file": CA}) == body


def test_nothing_is_added_to_a_request(kind: str, provider: Provider, slot: Slot) -> None:
    """No cookie of an earlier answer, no compression asked for, no user agent of a library."""
    slot.script(act.reply(ANSWER, headers={"set-cookie": "session=1; Path=/"}))

    async def work() -> None:
        async with upstream(kind) as opened:
            await read(opened, provider.url, slot.name)
            await read(opened, provider.url, slot.name)

    run(work())
    names = {name for name, _ in slot.last.headers}
    assert names <= {
        "host",
        "content-length",
        "accept",
        "accept-encoding",
        "user-agent",
        "connection",
        "content-type",
    }
    assert slot.last.header("user-agent") == "switchgear"
    assert slot.last.header("accept-encoding") == "identity"


# Certificates and proxies


def test_an_authority_of_ones_own_is_trusted(kind: str, safe_provider: Provider) -> None:
    slot = safe_provider.slot(f"ca-{kind}")
    slot.script(act.reply(ANSWER))
    assert read_once(kind, safe_provider.url, slot.name, tls={"ca_file": CA}) == ANSWER


def test_a_certificate_of_ours_is_shown(kind: str) -> None:
    with Provider(server_tls(asks_for_certificate=True)) as strict:
        slot = strict.slot("any")
        slot.script(act.reply(ANSWER))
        assert read_once(kind, strict.url, "any", tls={"ca_file": CA, **CLIENT}) == ANSWER
        with pytest.raises((Unreachable, Disconnected)):
            read_once(kind, strict.url, "any", tls={"ca_file": CA})


def test_equal_settings_make_equal_keys() -> None:
    assert hash(Tls(ca_file="a")) == hash(Tls(ca_file="a"))
    assert Tls(ca_file="a") != Tls(ca_file="b")


BASIC = "Basic " + base64.b64encode(b"gate@way:p:1").decode()


def test_a_proxy_tunnels_to_https_and_never_sees_inside(safe_provider: Provider) -> None:
    slot = safe_provider.slot("tunnel")
    slot.script(act.reply(ANSWER))
    with Proxy(BASIC) as proxy:
        url = proxy.url("gate%40way:p:1")
        assert read_once("auto", safe_provider.url, slot.name, proxy=url, tls={"ca_file": CA}) == ANSWER
        assert proxy.asked == [f"CONNECT 127.0.0.1:{safe_provider.port}"]
    assert slot.last.header("proxy-authorization") is None


def test_a_proxy_is_where_a_name_is_looked_up(safe_provider: Provider) -> None:
    slot = safe_provider.slot("far")
    slot.script(act.reply(ANSWER))

    class OnlyTheProxy(Names):
        async def resolve(self, host: str, port: int) -> list[Address]:
            assert host == "proxy.test", f"{host} was looked up here"
            return await super().resolve(host, port)

    with Proxy() as proxy:
        url = f"http://proxy.test:{proxy.port}"
        target = f"https://localhost:{safe_provider.port}"
        names = OnlyTheProxy(["127.0.0.1"])
        assert read_once("auto", target, slot.name, proxy=url, tls={"ca_file": CA}, resolver=names) == ANSWER
        assert proxy.asked == [f"CONNECT localhost:{safe_provider.port}"]


def test_a_proxy_forwards_http(provider: Provider, slot: Slot) -> None:
    slot.script(act.reply(ANSWER))
    with Proxy(BASIC) as proxy:
        url = proxy.url("gate%40way:p:1")
        assert read_once("auto", provider.url, slot.name, proxy=url) == ANSWER
        assert proxy.asked == [f"POST {provider.url}/v1/x"]


def test_a_proxy_that_refuses_is_a_provider_that_cannot_be_reached(safe_provider: Provider) -> None:
    with Proxy(BASIC) as proxy, pytest.raises(Unreachable) as raised:
        read_once("auto", safe_provider.url, "any", proxy=proxy.url("gate:wrong"), tls={"ca_file": CA})
    assert "wrong" not in f"{raised.value!r} {raised.value.__cause__!r}"


def test_a_proxy_that_refuses_connections(safe_provider: Provider) -> None:
    with Proxy() as proxy:
        gone = proxy.url()
    with pytest.raises(Unreachable):
        read_once("auto", safe_provider.url, "any", proxy=gone, tls={"ca_file": CA})


def test_proxies_of_the_environment_are_not_used(
    kind: str, provider: Provider, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot.script(act.reply(ANSWER))
    with Proxy() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        assert read_once(kind, provider.url, slot.name) == ANSWER
        assert proxy.asked == []


def test_contexts_verify() -> None:
    made = context(Tls())
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
