"""Who comes to the admin API: so many of one address, and nobody to its description who may not look."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx2
import pytest

from app.api.snapshot import Snapshot
from app.config.models import Config
from app.store.database import Database
from app.store.sqlite import Sqlite
from tests.app.api.office import Office, key_of, open_office

PROXY = "10.0.0.1"


@pytest.fixture
async def database(tmp_path):
    """One of a kind: nothing here is the database's doing."""
    database = Database(Sqlite(tmp_path / "a.db"))
    yield database
    await database.close()


@asynccontextmanager
async def coming_from(office: Office, address: str):
    transport = httpx2.ASGITransport(office.pages, raise_app_exceptions=False, client=(address, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key_of(name)}"}


async def test_so_many_requests_of_one_address_and_then_429(database, tmp_path, monkeypatch) -> None:
    # Neither of these is ours: the library would take them for its settings.
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"RATELIMIT_ENABLED=false\xff")
    monkeypatch.setenv("RATELIMIT_ENABLED", "false")
    settings = {"admin": {"rate_limit": "3/day"}, "server": {"trusted_proxies": [PROXY]}}
    async with open_office(database, **settings) as office, coming_from(office, PROXY) as client:

        async def ask(path: str, who: str, behind: str):
            return await client.get(path, headers={**bearer(who), "x-forwarded-for": behind})

        # All paths together, whoever asks, at once or not.
        paths = ("/admin/v1/keys", "/openapi.json", "/docs", "/admin/v1/teams")
        answers = await asyncio.gather(*(ask(path, "viewer", "198.51.100.7") for path in paths))
        assert sorted(each.status_code for each in answers) == [200, 200, 200, 429]
        again = await ask("/admin/v1/keys", "master", "198.51.100.7")
        assert again.status_code == 429
        error = again.json()["error"]
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
        assert "admin.rate_limit" in error["message"]
        assert 0 < int(again.headers["retry-after"]) <= 86_400

        # Another address has its own, wrong keys count too, and one network of IPv6 is one address.
        statuses = [(await ask("/admin/v1/keys", "unknown", "198.51.100.8")).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        statuses = [(await ask("/docs", "viewer", f"2001:db8::{host}")).status_code for host in range(1, 5)]
        assert statuses == [200, 200, 200, 429]

        # Another rate holds at once.
        config = office.config.model_copy(
            update={"admin": Config.model_validate({"admin": {"rate_limit": "9/hour"}}).admin}
        )
        office.current.swap(Snapshot(config, None, None, office.current.snapshot.callers, None))
        assert (await ask("/admin/v1/keys", "viewer", "198.51.100.7")).status_code == 200


async def test_case_38_wrong_keys_at_the_admin_api_count_as_everywhere(database) -> None:
    async with open_office(database) as office:
        office.failures.configure(2)
        wrong = [(await office.ask("unknown", "GET", "/keys")) for _ in range(3)]
        assert [each.status_code for each in wrong] == [401, 401, 429]
        assert "wrong API keys" in wrong[-1].json()["error"]["message"]
        assert int(wrong[-1].headers["retry-after"]) > 0
        assert (await office.ask("viewer", "GET", "/keys")).status_code == 200


async def test_case_53_the_description_is_for_those_who_may_look(database) -> None:
    async with open_office(database) as office:
        for path in ("/docs", "/openapi.json"):
            for who, status in (
                (None, 401),
                ("nobody", 403),
                ("team_admin", 403),
                ("viewer", 200),
                ("master", 200),
            ):
                headers = {} if who is None else bearer(who)
                assert (await office.client.get(path, headers=headers)).status_code == status, (path, who)
        described = (await office.client.get("/openapi.json", headers=bearer("viewer"))).json()
        assert {"/v1/chat/completions", "/admin/v1/keys"} <= described["paths"].keys()
        assert not {"/docs", "/openapi.json"} & described["paths"].keys()
        assert "openapi.json" in (await office.client.get("/docs", headers=bearer("viewer"))).text
        for path in ("/redoc", "/docs/oauth2-redirect"):
            assert (await office.client.get(path)).status_code == 404


async def test_case_53_without_anybody_who_administers_this_machine_may_read_it(database) -> None:
    async with open_office(database) as office:
        plain = [{"name": "app", "key": key_of("app")}]
        config = Config.model_validate({"auth": {"keys": plain}})
        office.ring.configure([])
        office.current.swap(Snapshot(config, None, None, office.current.snapshot.callers, None))
        assert (await office.client.get("/openapi.json")).status_code == 200
        assert (await office.client.get("/admin/v1/keys")).status_code == 401
        async with coming_from(office, "203.0.113.5") as other:
            assert (await other.get("/docs")).status_code == 401


@pytest.mark.slow
def test_starting_does_not_import_the_limiter() -> None:
    code = "import sys, app.cli.run; sys.exit('slowapi' in sys.modules or 'limits' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
