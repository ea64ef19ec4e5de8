from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.interpolation import InterpolationError, interpolate

ENVIRON = {"NAME": "value", "EMPTY": "", "NESTED": "${NAME}", "DOLLAR": "$$"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${NAME}", "value"),
        ("a-${NAME}-b-${NAME}", "a-value-b-value"),
        ("${EMPTY}", ""),
        ("${EMPTY:-default}", "default"),
        ("${MISSING:-default}", "default"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a:-b?$c}", "a:-b?$c"),
        ("${NAME:-default}", "value"),
        ("${NAME:?needed}", "value"),
        ("${NESTED}", "${NAME}"),
        ("$${NAME}", "${NAME}"),
        ("$${", "${"),
        ("$$${NAME}", "$${NAME}"),
        ("$${${NAME}}", "${value}"),
        ("$NAME $ $$ $(x) }{", "$NAME $ $$ $(x) }{"),
        ("${DOLLAR}", "$$"),
    ],
)
def test_the_three_forms_and_nothing_else(text: str, result: str) -> None:
    assert interpolate(text, ENVIRON) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${MISSING}", "MISSING is not set"),
        ("${MISSING:?ask the operator}", "^ask the operator$"),
        ("${EMPTY:?ask the operator}", "^ask the operator$"),
        ("${EMPTY:?}", "EMPTY is not set"),
        ("${NAME", "without its `}`"),
        ("${}", "no form"),
        ("${1A}", "no form"),
        ("${NAME-x}", "no form"),
        ("${NAME:+x}", "no form"),
        ("${NAME:}", "no form"),
        ("${ NAME }", "no form"),
        ("${A:-${NAME}}", "nests"),
    ],
)
def test_what_has_no_value_or_no_meaning(text: str, message: str) -> None:
    with pytest.raises(InterpolationError, match=message) as caught:
        interpolate(text, ENVIRON)
    assert caught.value.hint


@given(st.text())
def test_a_text_without_a_dollar_and_brace_is_itself(text: str) -> None:
    text = text.replace("${", "")
    if "${" not in text:
        assert interpolate(text, {}) == text


@given(st.text())
def test_every_text_can_be_written_literally(text: str) -> None:
    assert interpolate(text.replace("${", "$${"), {}) == text


@given(
    name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), value=st.text(), before=st.text("ab{}")
)
def test_a_value_is_never_expanded_again(name: str, value: str, before: str) -> None:
    assert interpolate(f"{before}${{{name}}}", {name: value}) == before + value


@given(st.text(alphabet="${}:-?AB"))
def test_any_text_gives_a_text_or_a_clear_error(text: str) -> None:
    try:
        result = interpolate(text, {"A": "1"})
    except InterpolationError as error:
        result = error.message
    assert isinstance(result, str)
