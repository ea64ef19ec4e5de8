from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.config.models import Config, Server, Timeouts
from app.config.scalars import duration, duration_text, size, size_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60.0),
        ("200ms", 0.2),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1.5s", 1.5),
        ("0s", 0.0),
        ("2 s", 2.0),
    ],
)
def test_durations(loads, text: str, seconds: float) -> None:
    assert loads(f"server: {{drain: {text}}}").config.server.drain == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("60", "`60` has no unit; write `60s` for seconds"),
        ("1.5", "`1.5` has no unit; write `1.5s`"),
        ("1:30", "`1:30` is no duration"),
        ("-1s", "`-1s` is no duration"),
        ("1w", "`1w` is no duration"),
        ("1e3s", "`1e3s` is no duration"),
        ("inf", "`inf` is no duration"),
        ("", "must be a duration"),
        ("[1s]", "Input should be a valid number"),
    ],
)
def test_what_is_no_duration(complaints, text: str, complaint: str) -> None:
    (line,) = complaints(f"server:\n  drain: {text}\n")
    assert line.startswith("config.yaml:2:")
    assert complaint in line


def test_a_timeout_of_nothing_is_refused(complaints) -> None:
    (line,) = complaints("providers: {openai: {timeouts: {connect: 0s}}}")
    assert line == "config.yaml:1:42: providers.openai.timeouts.connect: must be more than 0"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("32MiB", 32 << 20),
        ("10MB", 10_000_000),
        ("1024", 1024),
        ("1KiB", 1024),
        ("1kB", 1000),
        ("1 GiB", 1 << 30),
        ("7B", 7),
    ],
)
def test_sizes(loads, text: str, count: int) -> None:
    assert loads(f"server: {{max_body: {text}}}").config.server.max_body == count


@pytest.mark.parametrize("text", ["32M", "-1", "1.5MiB", "lots", "0x10", "1e6"])
def test_what_is_no_size(complaints, text: str) -> None:
    (line,) = complaints(f"server: {{max_body: {text}}}")
    assert line.startswith(f"config.yaml:1:20: server.max_body: `{text}` is no size; write bytes")


@pytest.mark.parametrize("text", ["04000", "4_000", "4000.0", "+1", "0x0f", "1e3", "4000 a", "true"])
def test_what_is_no_port(complaints, text: str) -> None:
    (line,) = complaints(f"server: {{port: {text}}}")
    assert (
        line
        == f"config.yaml:1:16: server.port: `{text}` is no whole number; write digits alone, such as `4000`"
    )


def test_a_port_has_its_bounds(complaints) -> None:
    assert complaints("server: {port: 65536}") == ["config.yaml:1:16: server.port: must be at most 65535"]
    assert complaints("server: {port: 0}") == []


@pytest.mark.parametrize("text", ["yes", "on", "True", "1", "TRUE"])
def test_a_flag_has_two_words(complaints, text: str) -> None:
    (line,) = complaints(f"providers: {{openai: {{exact: {text}}}}}")
    assert line.endswith(f"`{text}` is neither true nor false; write `true` or `false`")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-12-31", datetime(2030, 12, 31, tzinfo=UTC)),
        ("2030-12-31T18:30:00Z", datetime(2030, 12, 31, 18, 30, tzinfo=UTC)),
        (
            '"2030-12-31 18:30:00.5+02:00"',
            datetime(2030, 12, 31, 18, 30, 0, 500_000, timezone(timedelta(hours=2))),
        ),
        ("null", None),
        ("~", None),
        ("", None),
        ('"${EXPIRES:-}"', None),
    ],
)
def test_a_key_expires(loads, text: str, moment: datetime | None) -> None:
    loaded = loads(f"auth:\n  keys:\n    - name: ci\n      key: sk-0123456789abcdef\n      expires: {text}\n")
    assert loaded.config.auth.keys[0].expires == moment


@pytest.mark.parametrize(
    "text", ["tomorrow", "2030-13-01", "2030-12-31T18:30:00", "31.12.2030", "20301231", "1924905600"]
)
def test_what_is_no_date(complaints, text: str) -> None:
    (line,) = complaints(f"auth:\n  keys:\n    - {{name: ci, key: sk-0123456789abcdef, expires: '{text}'}}\n")
    assert line.startswith(f"config.yaml:3:53: auth.keys[0].expires: `{text}` is no date")
    assert "2030-12-31T18:00:00Z" in line


def test_scalars_stay_what_was_written(loads) -> None:
    text = """
    auth: {keys: [{name: 0123, key: 12345678901234567890, metadata: {a: 1:30, b: 10.10, c: yes, d: 2030-01-01, e: 0x1F}}]}
    """
    key = loads(text).config.auth.keys[0]
    assert key.name == "0123"
    assert key.key.reveal() == "12345678901234567890"
    assert key.metadata == {"a": "1:30", "b": "10.10", "c": "yes", "d": "2030-01-01", "e": "0x1F"}


@given(st.floats(min_value=0.001, max_value=1e8).map(lambda value: round(value, 3)))
def test_a_written_duration_reads_back(seconds: float) -> None:
    assert duration(duration_text(seconds)) == pytest.approx(seconds)


@given(st.integers(min_value=1, max_value=1 << 45))
def test_a_written_size_reads_back(count: int) -> None:
    assert size(size_text(count)) == count


def test_models_take_typed_values_too() -> None:
    config = Config(server=Server(port=0, drain=1.5))
    assert (config.server.port, config.server.drain) == (0, 1.5)


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().server.port = 1  # type: ignore[misc] # that is what is tested
    with pytest.raises(ValidationError, match="frozen"):
        Timeouts().connect = 1  # type: ignore[misc] # that is what is tested
