"""Which paths answer on which port, where the admin API has one of its own."""

from __future__ import annotations

import json

from app.api.admin_door import AdminDoor

MAIN, ADMIN = 4000, 4001
OF_ADMIN = ("/admin", "/admin/v1/keys", "/docs", "/docs/oauth2-redirect", "/openapi.json")
OF_BOTH = ("/health/ready", "/metrics")
OF_MAIN = ("/v1/chat/completions", "/v1/models", "/models", "/", "/administer", "/docsy")


async def answer(path: str, port: int) -> list[dict]:
    async def app(scope, receive, send) -> None:
        await send({"type": "app", "path": scope["path"]})

    sent: list[dict] = []

    async def send(message) -> None:
        sent.append(message)

    async def receive():
        raise AssertionError("nothing of the body is read here")

    scope = {"type": "http", "path": path, "server": ("127.0.0.1", port), "headers": []}
    await AdminDoor(app, ADMIN, lambda: "an-id")(scope, receive, send)
    return sent


async def test_case_53_each_path_answers_on_its_port_alone() -> None:
    for path in (*OF_ADMIN, *OF_BOTH, *OF_MAIN):
        for port, there in ((MAIN, path not in OF_ADMIN), (ADMIN, path not in OF_MAIN)):
            start, *rest = await answer(path, port)
            if there:
                assert (start, rest) == ({"type": "app", "path": path}, []), (path, port)
                continue
            assert start["status"] == 404, (path, port)
            assert dict(start["headers"])[b"x-request-id"] == b"an-id"
            (body,) = rest
            error = json.loads(body["body"])["error"]
            assert (error["code"], error["type"]) == ("not_found", "invalid_request_error")
