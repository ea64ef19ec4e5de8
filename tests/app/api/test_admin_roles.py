"""Case 44: every route of the admin API, as the application lists them, for every role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import APIRouter

from app.api.admin_reception import Reception
from app.api.admin_route import PERMISSION, Undeclared, admin_route
from tests.app.api.office import ROLES, Office, open_office

METHODS = {"get", "post", "patch", "put", "delete"}
MAY: dict[str, set[str]] = {
    "read": {"master", "admin", "bound", "operator", "viewer"},
    "operate": {"master", "admin", "bound", "operator"},
    "read_keys": {"master", "admin", "bound", "operator", "viewer", "team_admin"},
    "write_keys": {"master", "admin", "bound", "team_admin"},
}
"""Who may do what, written once more, by somebody who thinks of people and not of tables."""
EVERYBODY = (None, "master", *ROLES)


@pytest.fixture
async def office(database):
    async with open_office(database) as office:
        yield office


def routes(office: Office) -> Iterator[tuple[str, str, str]]:
    """Give method, path and permission of everything under `/admin`."""
    for path, methods in office.pages.openapi()["paths"].items():
        if path.startswith("/admin"):
            for method in METHODS & methods.keys():
                yield method.upper(), path, methods[method][PERMISSION]


def listed(office: Office) -> set[tuple[str, str]]:
    """Give method and path of every route under `/admin`, described or not."""
    found = set()
    waiting = list(office.pages.routes)
    while waiting:
        route = waiting.pop()
        waiting += route.original_router.routes if hasattr(route, "original_router") else []
        path = getattr(route, "path", "")
        if path.startswith("/admin"):
            found |= {(method, path) for method in getattr(route, "methods", ()) or ()}
    return found


async def test_case_44_every_route_lets_in_whom_it_declares_and_nobody_else(office):
    declared = list(routes(office))
    assert len(declared) > 7
    for method, path, permission in declared:
        for who in EVERYBODY:
            # A number that no key and no provider has: who is let in finds nothing there, or sends too little.
            where = path.removeprefix("/admin/v1").replace("{key}", "999").replace("{name}", "999")
            answer = await office.ask(who, method, where)
            expected = 401 if who is None else 403 if who not in MAY[permission] else None
            assert answer.status_code not in {405, 500}, (method, path, who)
            if expected:
                assert answer.status_code == expected, (method, path, who, answer.text)
                assert answer.json()["error"]["code"] in {"invalid_api_key", "permission_denied"}
            else:
                assert answer.status_code not in {401, 403}, (method, path, who, answer.text)


async def test_case_44_no_route_is_hidden_from_the_description(office):
    assert listed(office) == {(method, path) for method, path, _ in routes(office)}


async def test_case_44_a_route_without_a_permission_does_not_start(office):
    router = APIRouter(route_class=admin_route(Reception(office.current, office.ring)))
    with pytest.raises(Undeclared, match="/open"):
        router.add_api_route("/open", lambda: None)


async def test_case_34_who_may_not_is_told_so_before_its_body_is_read(office):
    answer = await office.client.post("/admin/v1/keys", content=b"{")
    assert answer.status_code == 401
    assert (await office.ask("nobody", "POST", "/keys", {"name": 1})).status_code == 403


async def test_a_path_says_which_methods_it_takes(office):
    for path, methods in (("/keys", {"GET", "POST"}), ("/keys/1", {"GET", "PATCH"}), ("/reload", {"POST"})):
        answer = await office.ask("admin", "DELETE", path)
        assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, methods), path


async def test_refusals_and_who_may_are_described(office):
    paths = office.pages.openapi()["paths"]
    for method, path, _ in routes(office):
        described = paths[path][method.lower()]
        assert {"4XX", "5XX"} <= described["responses"].keys(), path
        assert "422" not in described["responses"], "no route answers that"
        assert described["security"] == [{"key": []}]
    assert "security" not in paths["/health/ready"]["get"]
