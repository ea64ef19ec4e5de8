"""The rows of well-known providers, and that each of them can be served."""

from __future__ import annotations

import dataclasses
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import pytest

from providers.catalog import CATALOG, Provider
from providers.registry import DIALECTS, adapter_for
from providers.types import Operation
from tests.providers.operations_table import FILE, table

ROWS = list(CATALOG.values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
class TestRow:
    def test_has_an_address_without_a_slash_at_its_end(self, row: Provider):
        address = urlsplit(row.base_url)
        assert address.hostname
        assert not row.base_url.endswith("/")
        assert address.scheme == "https" or row.allow_private

    def test_only_loopback_rows_may_be_private(self, row: Provider):
        local = urlsplit(row.base_url).hostname == "127.0.0.1" or row.transport == "embedded"
        assert row.allow_private is local

    def test_every_operation_of_it_has_an_adapter(self, row: Provider):
        assert row.dialect in DIALECTS
        assert row.operations
        assert all(adapter_for(row.dialect, operation) for operation in row.operations)

    def test_can_be_switched_on(self, row: Provider):
        # A key, an address, or nothing at all where it is embedded.
        assert row.env or row.base_url_env or row.transport == "embedded"
        assert not (row.key_required and not row.env)

    def test_is_frozen(self, row: Provider):
        with pytest.raises(dataclasses.FrozenInstanceError):
            row.name = "other"  # type: ignore[misc]  # that it fails is the point
        with pytest.raises(TypeError):
            CATALOG["x"] = row  # type: ignore[index]  # the same


def test_no_two_rows_share_a_variable():
    variables = [name for row in ROWS for name in (*row.env, *row.base_url_env)]
    assert len(variables) == len(set(variables))


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o-mini", "openai"),
        ("o3", "openai"),
        ("o4-mini", "openai"),
        ("chatgpt-4o-latest", "openai"),
        ("text-embedding-3-small", "openai"),
        ("claude-haiku-4-5", "anthropic"),
        ("grok-3-mini", "xai"),
        ("mistral-small-latest", "mistral"),
        ("codestral-latest", "mistral"),
        ("deepseek-chat", "deepseek"),
        ("echo", "echo"),
    ],
)
def test_a_bare_model_name_is_claimed_by_its_vendor_alone(model: str, provider: str):
    claims = [row.name for row in ROWS if any(fnmatchcase(model, pattern) for pattern in row.patterns)]
    assert claims == [provider]


def test_the_table_of_operations_is_up_to_date():
    assert FILE.read_text() == table(), "run: python -m tests.providers.operations_table"


def test_unknown_dialects_and_operations_have_no_adapter():
    assert adapter_for("klingon", Operation.CHAT) is None
    assert adapter_for("anthropic", Operation.EMBEDDINGS) is None


def test_only_clean_openai_is_passed_through_unread():
    assert {row.name for row in ROWS if row.quirks.exact} == {"openai"}
