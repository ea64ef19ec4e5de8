"""A client's JSON body: whatever is ambiguous or too much is a 400, and nothing else ever is."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.api.json_body import DEEPEST, MOST_ITEMS, MOST_KEYS, parse_object
from app.errors import BadRequest


def code(body: bytes) -> str:
    with pytest.raises(BadRequest) as caught:
        parse_object(body)
    assert caught.value.http_status == 400
    json.loads(caught.value.body())  # every refusal can be sent
    return caught.value.code


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"a":' + opening * (levels - 1) + closing * (levels - 1) + b"}"


numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=30,
)


@given(st.dictionaries(texts, values), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_json_reads_within_the_rules_reads_the_same(
    value: dict[str, Any], ascii_only: bool, indent: Any
) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()) == value


json_like = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b'"',
            b"\\",
            b"\\\\",
            b'\\"',
            b"\\ud83d",
            b"\\ude00",
            b":",
            b",",
            b"1",
            b"-",
            b"e999",
            b"0" * 30,
            b'"a"',
            b'"a":',
            b"true",
            b"NaN",
            b" ",
            b"\n",
            b"\xff",
            b"\x00",
            b"\xed\xa0\x80",
            b"\xef\xbb\xbf",
        ]
    ),
    max_size=40,
).map(b"".join)


@given(st.binary(max_size=200) | json_like | json_like.map(lambda inner: b'{"a":"' + inner + b'"}'))
@example(b'{"a":"\\\\"}')
@example(b'{"a":\\"' + b"[" * 5000)
@example(b'"\\' + b'"[' * 5000)
def test_arbitrary_bytes_raise_nothing_but_a_bad_request(body: bytes) -> None:
    try:
        value = parse_object(body)
    except BadRequest as error:
        json.loads(error.body())
    else:
        # What is let in can be sent on, and reads as it does for everybody else.
        assert json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()) == json.loads(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key"),
        (b'{"m":[{"role":"user","role":"system"}]}', "duplicate_key"),
        (b'{"m":{"":1,"":1}}', "duplicate_key"),
    ],
)
def test_case_15_duplicate_keys(body: bytes, expected: str) -> None:
    assert code(body) == expected


def test_case_15_the_duplicate_is_named() -> None:
    with pytest.raises(BadRequest, match="`model`") as caught:
        parse_object(b'{"model":"cheap","model":"dear"}')
    assert caught.value.param == "model"


def test_case_15_a_duplicate_key_that_cannot_be_encoded_is_still_a_400() -> None:
    assert code(b'{"\\ud800":1,"\\ud800":2}') == "duplicate_key"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_case_17_depth(opening: bytes, closing: bytes) -> None:
    inner = b"1" if closing == b"}" else b""
    fits = b'{"a":' + opening * (DEEPEST - 1) + inner + closing * (DEEPEST - 1) + b"}"
    assert parse_object(fits) == json.loads(fits)
    assert code(b'{"a":' + opening * DEEPEST + inner + closing * DEEPEST + b"}") == "too_deep"


def test_case_17_brackets_in_strings_are_text() -> None:
    body = json.dumps({"a": "[" * 200, 'q"[[': '\\"' * 10 + "{" * 200, "b": "\\"}).encode()
    assert parse_object(body) == json.loads(body)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 50_000 + b"]" * 50_000, b'{"a":' * 50_000])
def test_case_17_a_hundred_thousand_brackets_cost_little(body: bytes) -> None:
    best = math.inf
    for _ in range(5):
        start = time.thread_time()
        assert code(body) == "too_deep"
        best = min(best, time.thread_time() - start)
    assert best < 0.010


@pytest.mark.parametrize(
    "number",
    [
        b"1" * 5000,
        b"18446744073709551616",
        b"-9223372036854775809",
        b"1e309",
        b"-1e400",
        b"1" * 400 + b".0",
        b"0." + b"1" * 4000,
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1E+0400",
        b"0.1e999999999",
    ],
)
def test_case_18_numbers_that_no_reader_agrees_on(number: bytes) -> None:
    assert code(b'{"a":[' + number + b"]}") == "invalid_number"


@pytest.mark.parametrize(
    "number",
    ["18446744073709551615", "-9223372036854775808", "1e308", "0.1", "1e-999", "-0", "0e0000", "1.5E+3"],
)
def test_case_18_numbers_that_fit(number: str) -> None:
    assert parse_object(f'{{"a":{number}}}'.encode()) == {"a": json.loads(number)}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "empty_body"),
        (b" \n", "empty_body"),
        (b"[]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"1", "not_an_object"),
        (b"{} x", "trailing_data"),
        (b'{"a":1}{"a":2}', "trailing_data"),
        (b"{'a':1}", "invalid_json"),
        (b'{"a":1,}', "invalid_json"),
        (b'{"a":"\n"}', "invalid_json"),
        (b'{"a":"\\x"}', "invalid_json"),
        (b'{"a":01}', "invalid_json"),
        (b"a=1&b=2", "invalid_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
        ('{"a":1}'.encode("utf-16"), "invalid_utf8"),
        (b"\xef\xbb\xbf{}", "byte_order_mark"),
    ],
)
def test_case_21_shape(body: bytes, expected: str) -> None:
    assert code(body) == expected


def test_case_21_the_place_is_told() -> None:
    with pytest.raises(BadRequest, match="line 2, column 7"):
        parse_object(b'{"a": 1,\n "b": x}')


@pytest.mark.parametrize(
    "text", ["\\ud800", "\\uDC00", "\\ud83d\\ud83d\\ude00", "\\ud83d\\\\\\ude00", "\\ude00\\ud83d"]
)
def test_lone_surrogates_are_refused(text: str) -> None:
    assert code(f'{{"a":["{text}"]}}'.encode()) == "invalid_string"
    assert code(f'{{"{text}":1}}'.encode()) == "invalid_string"


@pytest.mark.parametrize(
    "text", ["\\ud83d\\ude00", "\\\\ud800", "\\\\\\\\ud800", "\\u0000", "\\ud83d\\ude00\\ud83d\\ude00"]
)
def test_escapes_that_mean_something_are_kept(text: str) -> None:
    body = f'{{"a":"{text}"}}'.encode()
    assert parse_object(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}",
        b'{"messages":[' + b'{"role":"user"},' * 999_999 + b'{"role":"user"}]}',
        b'{"tools":[' + b'{"type":"function"},' * 99_999 + b"{}]}",
        b'{"a":[' + b"1," * (MOST_ITEMS + 1) + b"1]}",
        b'{"a":[' + b"[]," * MOST_KEYS + b"[]]}",
        b'{"a":[' + b'""' * 1_000_000 + b"]}",
    ],
    ids=["keys", "messages", "tools", "numbers", "lists", "strings"],
)
def test_case_22_counts_are_refused_at_little_cost(body: bytes) -> None:
    best = math.inf
    for _ in range(3):
        start = time.thread_time()
        assert code(body) == "too_many_items"
        best = min(best, time.thread_time() - start)
    assert best < 0.050


def test_case_22_as_many_as_embeddings_need_are_read() -> None:
    tokens = list(range(300_000))
    assert parse_object(json.dumps({"input": tokens}).encode()) == {"input": tokens}


def test_a_megabyte_in_one_string_costs_little() -> None:
    body = json.dumps({"a": "A" * 1_000_000}).encode()
    best = math.inf
    for _ in range(5):
        start = time.thread_time()
        parse_object(body)
        best = min(best, time.thread_time() - start)
    assert best < 0.010
