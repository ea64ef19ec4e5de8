"""Keys at run time over the admin API: what a credential may grant, whose keys it sees, and what is told of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.app.api.office import key_of, open_office

WHOLE: dict[str, Any] = {
    "user": "ann",
    "models": ["fast"],
    "plan": "small",
    "priority": "low",
    "limits": {"rpm": 5, "concurrency": 2},
    "budget": {"amount": 0.1, "per": "day"},
    "metadata": {"for": "tests"},
    "expires": "2089-12-31",
    "roles": ["viewer"],
}


@pytest.fixture
async def office(database):
    async with open_office(database) as office:
        yield office


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def error_of(answer) -> dict[str, Any]:
    return answer.json()["error"]


async def test_a_key_is_shown_once_and_counts_at_once(office):
    made = await office.make("master", "app", **WHOLE)
    caller = office.ring.find(digest(made["key"]))
    assert (caller.name, caller.user, caller.team, caller.organisation) == ("app", "ann", "red", "acme")
    assert caller.own.limits.stated == {"rpm": 5, "concurrency": 2}
    shown = await office.ask("viewer", "GET", f"/keys/{made['id']}")
    assert shown.json() == {name: value for name, value in made.items() if name != "key"}
    assert (made["hint"], made["team"], made["state"]) == (made["key"][-4:], "red", "live")
    assert made["budget"] == [
        {
            "amount": "0.10",
            "per": "day",
            "timezone": "UTC",
            "mode": "learned",
            "notify": ["0.8"],
            "fit_max_tokens": False,
        }
    ]


async def test_the_readme_shows_a_key_that_can_be_made(office):
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    body = json.loads(readme.split("```http\n")[1].split("```")[0].split("\n\n")[1])
    made = await office.make("admin", **{**body, "team": "red"})
    assert (made["limits"], made["budget"][0]["amount"]) == ({"rpm": 60}, "20.00")


async def test_a_change_replaces_what_it_names_and_null_clears_it(office):
    made = await office.make("admin", "app", **WHOLE)
    path = f"/keys/{made['id']}"
    changed = await office.ask(
        "admin", "PATCH", path, {"limits": {"rpm": 9}, "plan": None, "priority": "high"}
    )
    assert changed.status_code == 200, changed.text
    expected = {**made, "limits": {"rpm": 9}, "plan": None, "priority": "high"}
    del expected["key"]
    assert changed.json() == expected
    assert office.ring.find(digest(made["key"])).own.limits.stated == {"rpm": 9}


async def test_a_rotated_key_leaves_the_old_one_valid_for_the_grace(office):
    made = await office.make("admin", "app")
    first = (await office.ask("admin", "POST", f"/keys/{made['id']}/rotate")).json()
    assert first["previous_until"] == pytest.approx(office.clock.wall() + 3600, abs=30)
    assert {office.ring.find(digest(each["key"])).name for each in (made, first)} == {"app"}
    second = (await office.ask("admin", "POST", f"/keys/{made['id']}/rotate", {"grace": "0s"})).json()
    assert second["previous_until"] is None
    found = [office.ring.find(digest(each["key"])) is not None for each in (made, first, second)]
    assert found == [False, False, True]


async def test_a_flag_is_no_number(office):
    made = await office.make("admin", "app")
    for flag, word in ((False, "`false`"), (True, "`true`")):
        for method, path, body in (
            ("POST", f"/keys/{made['id']}/rotate", {"grace": flag}),
            ("PATCH", f"/keys/{made['id']}", {"limits": {"rpm": flag}}),
            ("PATCH", f"/keys/{made['id']}", {"budget": {"amount": flag, "per": "day"}}),
        ):
            answer = await office.ask("admin", method, path, body)
            assert (answer.status_code, word in answer.json()["error"]["message"]) == (400, True), body
    assert office.ring.find(digest(made["key"])).name == "app", "it has not been rotated"


async def test_case_30_a_revoked_key_ends_at_once_and_its_name_is_free(office):
    made = await office.make("admin", "app")
    revoked = await office.ask("admin", "POST", f"/keys/{made['id']}/revoke")
    assert revoked.json()["state"] == "revoked"
    assert office.ring.find(digest(made["key"])) is None
    for method, path in (("PATCH", ""), ("POST", "/rotate"), ("POST", "/revoke")):
        body = {} if method == "PATCH" else None
        assert (await office.ask("admin", method, f"/keys/{made['id']}{path}", body)).status_code == 404
    assert (await office.make("admin", "app"))["id"] != made["id"]


UNFIT: list[tuple[Any, int, str]] = [
    ({"name": "taken"}, 409, "exists"),
    ({"name": "viewer"}, 409, "configuration"),
    ({"name": "master"}, 409, "configuration"),
    ({}, 400, "name"),
    ({"name": ""}, 400, "name"),
    ({"name": "a\nb"}, 400, "printable"),
    ({"name": "x", "spend": 0}, 400, "spend"),
    ({"name": "x", "is_master": True}, 400, "is_master"),
    ({"name": "x", "digest": "0" * 64}, 400, "digest"),
    ({"name": "x", "roles": ["root"]}, 400, "roles"),
    ({"name": "x", "plan": "nope"}, 400, "plan `nope`"),
    ({"name": "x", "team": "nope"}, 400, "team `nope`"),
    ({"name": "x", "user": "nope"}, 400, "user `nope`"),
    ({"name": "x", "user": "off"}, 400, "disabled"),
    ({"name": "x", "user": "ann", "team": "blue"}, 400, "in the team `red`"),
    ({"name": "x", "limits": {"rpm": 0}}, 400, "lets no call through"),
    ({"name": "x", "limits": {"rpx": 1}}, 400, "rpx"),
    ({"name": "x", "limits": None}, 400, "blank"),
    ({"name": "x", "budget": {"amount": -1, "per": "day"}}, 400, "amount"),
    ({"name": "x", "expires": "soon"}, 400, "RFC 3339"),
    ({"name": "x", "expires": "9999-12-31T23:59:59-23:59"}, 400, "calendar"),
    ({"name": "x", "models": "fast"}, 400, "models"),
    ([], 400, "JSON object"),
]


async def test_what_cannot_be_made_says_why(office):
    await office.make("admin", "taken")
    for body, status, words in UNFIT:
        answer = await office.ask("admin", "POST", "/keys", body)
        assert (answer.status_code, words in error_of(answer)["message"]) == (status, True), answer.text
    assert [key.name for key in await office.store.list_keys()] == ["taken"]


async def test_case_45_a_change_takes_no_field_that_is_not_its_own(office):
    made = await office.make("admin", "app", team="red")
    for field in ("role", "spend", "organisation", "is_active", "name", "created", "hint", "id"):
        body = {field: "1", "metadata": {"a": "b"}}
        answer = await office.ask("team_admin", "PATCH", f"/keys/{made['id']}", body)
        assert answer.status_code == 400
        assert field in error_of(answer)["message"]
    assert (await office.store.find_key("app")).metadata == {}


BOUND: dict[str, Any] = {
    "models": ["openai/gpt-*"],
    "regions": ["eu"],
    "plan": "small",
    "limits": {"rpm": 10},
    "budget": {"amount": "5.00", "per": "day"},
    "expires": "2089-01-01",
}
"""What a key may have that `bound` makes."""


BEYOND: list[tuple[dict[str, Any], str]] = [
    ({"models": []}, "models"),
    ({"models": ["*"]}, "models"),
    ({"models": ["fast", "smart"]}, "models"),
    ({"models": ["open*"]}, "models"),
    ({"models": ["[o]penai/x"]}, "models"),
    ({"regions": []}, "regions"),
    ({"regions": ["eu", "us"]}, "regions"),
    ({"plan": None}, "limits"),
    ({"plan": "large"}, "limits"),
    ({"limits": {}}, "limits"),
    ({"limits": {"rpm": 11}}, "limits"),
    ({"budget": []}, "budget"),
    ({"budget": {"amount": "5.01", "per": "day"}}, "budget"),
    ({"budget": {"amount": "1", "per": "week"}}, "budget"),
    ({"expires": None}, "expires"),
    ({"expires": "2091-01-01"}, "expires"),
]


async def test_case_46_nobody_grants_more_than_it_has(office):
    made = await office.make("bound", "app", **BOUND)
    for change, what in BEYOND:
        for method, path, body in (
            ("POST", "/keys", {"name": "other", **BOUND, **change}),
            ("PATCH", f"/keys/{made['id']}", change),
        ):
            answer = await office.ask("bound", method, path, body)
            assert answer.status_code == 403, answer.text
            assert f"`{what}`" in error_of(answer)["message"]
    (only,) = await office.store.list_keys()
    assert (only.name, only.models, only.limits) == ("app", ["openai/gpt-*"], {"rpm": 10})


async def test_case_46_a_team_admin_grants_no_role_that_it_lacks_nor_takes_a_stronger_key_over(office):
    for body, what in (
        ({"roles": ["admin"]}, "roles"),
        ({"roles": ["viewer"]}, "roles"),
        ({"team": "blue"}, "team"),
        ({"user": "bob"}, "team"),
        ({"priority": "high"}, "priority"),
    ):
        answer = await office.ask("team_admin", "POST", "/keys", {"name": "x", **body})
        assert (answer.status_code, f"`{what}`" in error_of(answer)["message"]) == (403, True), answer.text
    strong = await office.make("admin", "strong", team="red", roles=["admin"])
    assert (await office.ask("team_admin", "POST", f"/keys/{strong['id']}/rotate")).status_code == 403
    assert (await office.ask("team_admin", "PATCH", f"/keys/{strong['id']}", {})).status_code == 403
    assert office.ring.find(digest(strong["key"]))
    own = await office.make("team_admin", "own", roles=["team_admin"])
    assert own["team"] == "red"


async def test_case_49_keys_of_other_teams_are_not_there_for_a_team_admin(office):
    blue = await office.make("admin", "blue", team="blue")
    free = await office.make("admin", "free")
    red = await office.make("team_admin", "red-one", user="ann")
    for other in (blue, free):
        for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/rotate"), ("POST", "/revoke")):
            answer = await office.ask(
                "team_admin", method, f"/keys/{other['id']}{path}", {} if method == "PATCH" else None
            )
            assert answer.status_code == 404
    listed = (await office.ask("team_admin", "GET", "/keys")).json()
    assert [key["name"] for key in listed["data"]] == ["red-one"]
    assert (await office.ask("team_admin", "GET", "/keys?name=blue")).json()["data"] == []
    assert (await office.ask("team_admin", "POST", f"/keys/{red['id']}/revoke")).status_code == 200
    assert office.ring.find(digest(blue["key"]))


async def test_a_key_made_at_run_time_has_its_roles_and_loses_them(office):
    made = await office.make("admin", "helper", roles=["viewer"])
    headers = {"authorization": f"Bearer {made['key']}"}
    assert (await office.client.get("/admin/v1/keys", headers=headers)).status_code == 200
    assert (await office.ask("admin", "PATCH", f"/keys/{made['id']}", {"roles": []})).status_code == 200
    assert (await office.client.get("/admin/v1/keys", headers=headers)).status_code == 403


async def test_case_52_pages_are_bounded(office):
    for number in range(3):
        await office.make("admin", f"key-{number}")
    first = (await office.ask("viewer", "GET", "/keys?limit=2")).json()
    rest = (await office.ask("viewer", "GET", f"/keys?limit=2&after={first['next']}")).json()
    assert [key["name"] for key in first["data"] + rest["data"]] == ["key-0", "key-1", "key-2"]
    assert rest["next"] is None
    for query in ("limit=0", "limit=201", "limit=1000000000", "limit=x", "after=-1", f"after={10**30}"):
        assert (await office.ask("viewer", "GET", f"/keys?{query}")).status_code == 400
    for path in ("/keys/0", f"/keys/{10**30}", "/keys/x", "/keys/-1"):
        assert (await office.ask("viewer", "GET", path)).status_code == 400
    assert (await office.ask("viewer", "GET", "/keys?name=" + "%25" * 200)).json()["data"] == []
    for name in ("%25" * 1000, "a%00b"):
        assert (await office.ask("viewer", "GET", f"/keys?name={name}")).status_code == 400


async def test_case_48_no_answer_tells_a_key_or_its_digest_again(office):
    made = await office.make("admin", "app")
    rotated = (await office.ask("admin", "POST", f"/keys/{made['id']}/rotate")).json()
    told = json.dumps(
        [
            (await office.ask("viewer", "GET", path)).json()
            for path in ("/keys", f"/keys/{made['id']}", "/providers")
        ]
    )
    rows = repr(await office.audit.read(10))
    for key in (made["key"], rotated["key"], key_of("admin"), key_of("master")):
        assert key not in told + rows
        assert digest(key) not in told + rows


async def test_every_change_is_in_the_audit_log_with_who_and_what(office):
    made = await office.make("team_admin", "app")
    await office.ask("master", "PATCH", f"/keys/{made['id']}", {"limits": {"rpm": 3}})
    await office.ask("nobody", "PATCH", f"/keys/{made['id']}", {"limits": {"rpm": 4}})
    await office.ask("operator", "POST", "/reload")
    rows = await office.audit.read(10)
    assert [(row.actor, row.action, row.target) for row in rows] == [
        ("key:operator", "reload", "configuration"),
        ("master", "key.update", "key:app"),
        ("key:team_admin", "key.create", "key:app"),
    ]
    assert rows[0].after["changes"] == ["server.port"]


async def test_a_body_that_is_no_json_object_is_refused(office):
    headers = {"authorization": f"Bearer {key_of('admin')}", "content-type": "application/json"}
    bodies = (
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b"",
        b'"\\ud800"',
    )
    for body in bodies:
        answer = await office.client.post("/admin/v1/keys", content=body, headers=headers)
        assert answer.status_code == 400
        assert error_of(answer)["type"] == "invalid_request_error"
