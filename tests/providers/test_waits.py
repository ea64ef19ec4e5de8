"""How long a provider asks to wait."""

from __future__ import annotations

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import waits

NOW = 1_795_161_600.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "210", "retry-after": "1"}, 0.21),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "99999999"}, 86_400.0),
        ({"retry-after-ms": "9999999999999"}, 86_400.0),
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Mon, 99 Nov 2026 99:99:99 GMT"}, None),
    ],
)
def test_reads_the_header(headers: dict[str, str], seconds: float | None):
    assert waits.retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("59.85s", 59.85),
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3_723.0),
        ("10", 10.0),
        ("2", 2.0),
        ("900h", 86_400.0),
        ("1795161630", 30.0),
        ("1795161630000", 30.0),
        ("1795161000", 0.0),
        ("", None),
        ("s", None),
        ("-3s", None),
        ("3 s", None),
        ("3d", None),
        (None, None),
    ],
)
def test_reads_a_reset(text: str | None, seconds: float | None):
    assert waits.reset(text, NOW) == pytest.approx(seconds)


@given(
    text=st.text(max_size=80) | st.from_regex(r"[0-9.]{1,40}(ms|s|m|h|ns)?", fullmatch=True), now=st.floats()
)
def test_any_text_is_none_or_a_bounded_wait(text: str, now: float):
    for found in (
        waits.retry_after({"retry-after": text}, now),
        waits.retry_after({"retry-after-ms": text}, now),
        waits.duration(text),
    ):
        assert found is None or (0 <= found <= waits.LONGEST and math.isfinite(found))
