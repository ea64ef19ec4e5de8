"""Case 43 on the wire: an issuer's server that is down, hangs, sends pages, floods or leads elsewhere."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from app.auth.issuer_keys import FetchFailed
from app.gateway.documents import LARGEST, WITHIN, Documents
from tests.harness.gateway import free_port
from tests.harness.issuer import JwksServer, answers, key_set, public_jwk


@pytest.fixture(scope="module")
def server() -> Iterator[JwksServer]:
    with JwksServer(answers(b"{}")) as running:
        yield running


@pytest.fixture
async def documents() -> AsyncIterator[Documents]:
    made = Documents(ssl.create_default_context())
    yield made
    await made.close()


async def why(documents: Documents, url: str) -> str:
    with pytest.raises(FetchFailed) as caught:
        await documents.fetch(url, allow_private=True)
    return str(caught.value)


async def test_a_document_is_fetched(documents: Documents, server: JwksServer) -> None:
    body = key_set(public_jwk("ES256"))
    server.answer = answers(body)
    assert await documents.fetch(server.url, allow_private=True) == body
    server.answer = answers(b" " * LARGEST)
    assert len(await documents.fetch(server.url, allow_private=True)) == LARGEST


async def test_case_43_what_is_too_much_is_not_read(documents: Documents, server: JwksServer) -> None:
    server.answer = answers(b" " * (LARGEST + 1))
    assert "larger than 262144 bytes" in await why(documents, server.url)
    server.answer = server.gigabyte
    started = time.monotonic()
    assert "larger than 262144 bytes" in await why(documents, server.url)
    assert time.monotonic() - started < WITHIN


async def test_case_43_what_hangs_is_left(documents: Documents, server: JwksServer, monkeypatch) -> None:
    monkeypatch.setattr("app.gateway.documents.WITHIN", 0.15)
    server.answer = server.hang
    started = time.monotonic()
    assert "no whole answer within 0.15 s" in await why(documents, server.url)
    assert time.monotonic() - started < 1


async def test_case_43_what_is_down_or_no_document_says_why(documents: Documents, server: JwksServer) -> None:
    assert "Unreachable" in await why(documents, f"http://127.0.0.1:{free_port()}/keys")
    server.answer = answers(b"<html>", 503, "text/html")
    assert await why(documents, server.url) == "the answer has status 503"


async def test_redirects_are_not_followed(documents: Documents, server: JwksServer) -> None:
    server.answer = answers(b"", 302, location=server.url + "/elsewhere")
    asked = len(server.asked)
    assert "Redirected" in await why(documents, server.url)
    assert server.asked[asked:] == ["/keys"]


async def test_a_name_that_leads_to_a_private_address_is_not_followed(
    documents: Documents, server: JwksServer
) -> None:
    asked = len(server.asked)
    with pytest.raises(FetchFailed):
        await documents.fetch(server.url.replace("127.0.0.1", "localhost"), allow_private=False)
    assert len(server.asked) == asked
