"""What the gateway is compared with: the least that an ASGI app does to forward bytes, and to refuse a call.

`forward` sends a request's body through httpx2's request object and httpx-aiohttp's transport and hands back what
comes; `refuse` answers 401 to all. They are a fixed measure: they know no key, no error and no time-out.
FLOOR_UPSTREAM in the environment is the URL that is forwarded to.
"""

from __future__ import annotations

import os
from typing import Any

import aiohttp
import httpx2
from httpx_aiohttp.httpx2 import AiohttpTransport

UPSTREAM = os.environ.get("FLOOR_UPSTREAM", "")
REFUSAL = b'{"error":{"message":"No.","type":"authentication_error","param":null,"code":"invalid_api_key"}}'
SENT = [("content-type", "application/json"), ("authorization", "Bearer cred-0123456789abcdef")]


class Forward:
    """An ASGI app. Its transport is made with the first call, when there is a loop."""

    transport: AiohttpTransport | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.transport is None:
            connector = aiohttp.TCPConnector(limit=0)
            self.transport = AiohttpTransport(client=aiohttp.ClientSession(connector=connector))
        request = httpx2.Request("POST", UPSTREAM, headers=SENT, content=await read(receive))
        response = await self.transport.handle_async_request(request)
        content_type = response.headers["content-type"].encode()
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": [(b"content-type", content_type)],
            }
        )
        async for piece in response.stream:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        await response.aclose()


async def read(receive: Any) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(REFUSAL))]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": REFUSAL})


forward = Forward()
