"""`storage`: what is taken, what is refused with which words, and that nobody sees the password."""

import pytest

from app.config.diff import diff
from app.config.loader import load
from app.config.models import Config
from app.config.storage import Storage
from providers.types import Secret

PASSWORD = "hunter2-canary"
URL = f"postgresql://gate:{PASSWORD}@db.test:5433/switchgear?sslmode=verify-full&sslrootcert=/etc/ca.pem"
SHOWN = "postgresql://gate:***@db.test:5433/switchgear?sslmode=verify-full&sslrootcert=/etc/ca.pem"


def config_of(url):
    return Config.model_validate({"storage": url})


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgres://u@h/d",
        "postgresql://u:p%40%2F@[::1]:5432/d",
        "postgresql://u:p@one:5432,two/d?target_session_attrs=read-write",
        "postgresql://u@/d?host=/run/postgresql&port=5433",
        "postgresql://h/d?sslmode=disable&application_name=gate",
    ],
)
def test_a_postgresql_url_is_taken_as_it_is(url):
    storage = Storage.of(url)
    assert (storage.kind, storage.reveal(), str(storage.local)) == ("postgresql", url, "data/switchgear")


def test_sqlite_urls_name_their_files():
    assert str(Storage.of("sqlite:///data/a.db").local) == "data/a.db"
    assert str(Storage.of("sqlite:////var/a.db").local) == "/var/a.db"
    assert Storage.of("sqlite:///a.db").kind == "sqlite"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://u:{PASSWORD}", "is no PostgreSQL URL"),
        (f"postgresql://u:{PASSWORD}@h", "is no PostgreSQL URL"),
        (f"postgresql://u:{PASSWORD}/x@h/d", "%2F"),
        (f"postgresql://u:{PASSWORD}@x@h/d", "%40"),
        (f"postgresql://u:{PASSWORD}#@h/d", "%23"),
        (f"postgresql://u:{PASSWORD}%@h/d", "%25"),
        (f"postgresql://u:{PASSWORD} @h/d", "is no PostgreSQL URL"),
        (f"postgresql+asyncpg://u:{PASSWORD}@h/d", "must be sqlite:///path or postgresql://"),
        (f"postgresql://u:{PASSWORD}@/d", "names no host"),
        (f"postgresql://u:{PASSWORD}@h:0/d", "a host or port that cannot be one"),
        (f"postgresql://u:{PASSWORD}@h:99999/d", "a host or port that cannot be one"),
        (f"postgresql://u:{PASSWORD}@-h/d", "a host or port that cannot be one"),
        (f"postgresql://u:{PASSWORD}@h/d?sslmod=require", "did you mean `sslmode`?"),
        (f"postgresql://u:{PASSWORD}@h/d?sslmode=yes", "one of disable, allow, prefer, require"),
        (f"postgresql://u:{PASSWORD}@h/d?sslmode=require&sslmode=allow", "stands twice"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_right_and_without_the_password(url, said, complaints):
    (line,) = complaints(f"storage: '{url}'")
    assert "storage" in line
    assert said in line
    assert PASSWORD not in line


def test_nothing_shows_the_password():
    config = config_of(URL)
    for text in (repr(config), str(config.storage), config.model_dump_json(), f"{config.storage!r}"):
        assert PASSWORD not in text
        assert SHOWN in text


def test_another_password_is_a_change_that_is_told_without_it():
    (change,) = diff(config_of(URL), config_of(URL.replace(PASSWORD, "hunter3-canary")))
    assert str(change) == f"~ storage: {SHOWN} → {SHOWN}"


def test_the_url_may_stand_in_a_file_and_is_read_again_when_it_changes(tmp_path):
    file, config, now = tmp_path / "storage", tmp_path / "config.yaml", [0.0]
    file.write_text(URL + "\n")
    config.write_text(f"storage: {{file: {file}}}\n")
    loaded = load([config], {}, {}, clock=lambda: now[0])
    assert loaded.config.storage.reveal() == URL
    file.write_text(URL.replace(PASSWORD, "rotated"))
    now[0] += 5
    assert loaded.config.storage.reveal() == URL.replace(PASSWORD, "rotated")
    file.write_text("mysql://x/y")
    with pytest.raises(Exception, match="must be sqlite:///path") as raised:
        load([config], {}, {})
    assert PASSWORD not in str(raised.value)


def test_a_file_with_a_password_that_others_may_read_is_told_of(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f"storage: '{URL}'\n")
    config.chmod(0o644)
    assert "holds secrets" in load([config], {}, {}).warnings[0]
    config.chmod(0o600)
    assert load([config], {}, {}).warnings == ()
    config.write_text("storage: 'postgresql://u@h/d'\n")
    config.chmod(0o644)
    assert load([config], {}, {}).warnings == ()


def test_the_spool_lies_beside_the_file_or_where_it_is_told_to():
    assert str(Config().spool_folder) == "data/spool"
    assert str(config_of("sqlite:////var/a.db").spool_folder) == "/var/spool"
    assert str(config_of(URL).spool_folder) == "data/spool"
    elsewhere = Config.model_validate({"storage": Storage(Secret(URL)), "ledger": {"spool": "/var/s"}})
    assert str(elsewhere.spool_folder) == "/var/s"
