import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices import types as g
from genai_prices.data_snapshot import get_snapshot

from app.usage import price_book
from app.usage.price_book import PriceBook
from app.usage.price_data import PRICED_AS, VERSION, PriceData
from providers.catalog import CATALOG
from providers.types import Usage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
MILLION_EACH = Usage(input_tokens=10**6, output_tokens=10**6)
PLAIN = {"input_mtok": "1.00", "output_mtok": "2.00"}


def cost(book, provider, model, usage=MILLION_EACH, **more):
    rates = book.rates(provider, model, **{"now": NOW, **more})
    return None if rates is None else rates.cost(usage) / 10**9


def offer(prices, *, id="m", variants=None, match=None):
    return g.ModelInfo(
        id=id, match=match or g.ClauseEquals(equals=id), prices=prices, price_variants=variants
    )


def data(*models, others=()):
    row = g.Provider(id="vendor", name="Vendor", api_pattern="", models=list(models))
    return PriceData(lambda: [row, *others], {"vendor": "vendor"})


def price(**amounts):
    return g.ModelPrice(**{name: Decimal(text) for name, text in amounts.items()})


class TestUnknown:
    @pytest.mark.parametrize(
        ("provider", "model"),
        [
            ("openai", "no-such-model"),
            ("openai", ""),
            ("openai", "gpt-4o" * 1000),
            ("ollama", "llama3"),
            ("my-openai-proxy", "gpt-4o"),
            ("", "gpt-4o"),
        ],
    )
    def test_is_none_and_never_free(self, provider, model):
        assert PriceBook({}).rates(provider, model, now=NOW) is None

    def test_a_model_billed_by_what_is_not_counted_is_unknown(self):
        book = PriceBook({}, data(offer(price(input_document_kpages="0.36"))))
        assert book.rates("vendor", "m", now=NOW) is None

    def test_a_model_without_any_price_is_unknown(self):
        assert PriceBook({}, data(offer(g.ModelPrice()))).rates("vendor", "m", now=NOW) is None

    def test_a_price_finer_than_the_unit_is_rounded_up(self):
        book = PriceBook({}, data(offer(price(input_mtok="0.0000000000000000001", output_mtok="0"))))
        assert book.rates("vendor", "m", now=NOW).bands[0].input == 1

    def test_a_model_that_the_data_says_is_free_is_free(self):
        book = PriceBook({}, data(offer(price(input_mtok="0", output_mtok="0"))))
        assert cost(book, "vendor", "m") == 0


class TestNames:
    def test_every_provider_of_the_catalogue_with_published_prices_is_found(self):
        asked = {
            "openai": "gpt-4o-mini",
            "anthropic": "claude-haiku-4-5",
            "azure": "gpt-4o-mini",
            "bedrock": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "gemini": "gemini-2.5-flash",
            "perplexity": "sonar",
            "vertex": "claude-sonnet-4-5@20250929",
            "xai": "grok-4",
            "mistral": "mistral-small-latest",
            "cohere": "command-r-plus",
            "groq": "llama-3.1-8b-instant",
            "deepseek": "deepseek-chat",
            "openrouter": "openai/gpt-4o-mini",
            "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "fireworks": "accounts/fireworks/models/deepseek-v4-pro",
        }
        book = PriceBook({})
        assert [name for name, model in asked.items() if cost(book, name, model) is None] == []
        assert asked.keys() == CATALOG.keys() & PRICED_AS.keys()

    def test_each_name_of_the_table_is_one_of_the_data(self):
        assert set(PRICED_AS.values()) <= {row.id for row in get_snapshot().providers}

    @pytest.mark.parametrize(
        ("provider", "asked", "answered"),
        [
            ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
            ("openai", "gpt-4.1", "gpt-4.1-2025-04-14"),
            ("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
            ("openai", "GPT-4o-mini", "gpt-4o-mini"),
        ],
    )
    def test_a_dated_answer_costs_what_was_asked_for(self, provider, asked, answered):
        book = PriceBook({})
        assert book.rates(provider, asked, now=NOW) is not None
        assert cost(book, provider, asked) == cost(book, provider, answered)

    def test_a_date_that_the_data_does_not_know_is_left_out(self):
        book = PriceBook({}, data(offer(price(input_mtok="1", output_mtok="2"))))
        for name in ("m-2031-01-31", "m-20310131", "m@20310131", "m-0131", "m-2912"):
            assert cost(book, "vendor", name) == 3
        for name in ("m-2031-13-31", "m-7", "m-9999", "m-pro"):
            assert cost(book, "vendor", name) is None


class TestTime:
    BOOK = PriceBook(
        {},
        data(
            offer(
                [
                    g.ConditionalPrice(prices=price(input_mtok="1", output_mtok="1")),
                    g.ConditionalPrice(
                        g.StartDateConstraint(date(2026, 12, 1)),
                        prices=price(input_mtok="2", output_mtok="2"),
                    ),
                    g.ConditionalPrice(
                        g.TimeOfDateConstraint(time(22, tzinfo=UTC), time(6, 30, tzinfo=UTC)),
                        prices=price(input_mtok="5", output_mtok="5"),
                    ),
                ]
            )
        ),
    )

    @pytest.mark.parametrize(
        ("moment", "dollars"),
        [
            ("2026-11-20T12:00:00", 2),
            ("2026-11-20T21:59:59", 2),
            ("2026-11-20T22:00:00", 10),
            ("2026-11-21T06:29:59", 10),
            ("2026-11-21T06:30:00", 2),
            ("2026-12-01T00:00:00", 10),
            ("2026-12-01T06:30:00", 4),
            ("2026-11-20T12:00:01", 2),  # and back again
        ],
    )
    def test_the_last_condition_that_holds_counts(self, moment, dollars):
        now = datetime.fromisoformat(f"{moment}+00:00").timestamp()
        assert cost(self.BOOK, "vendor", "m", now=now) == dollars

    def test_rates_that_were_given_out_do_not_change(self):
        evening = datetime(2026, 11, 20, 21, 59, 59, tzinfo=UTC).timestamp()
        held = self.BOOK.rates("vendor", "m", now=evening)
        assert cost(self.BOOK, "vendor", "m", now=evening + 1) == 10
        assert held.cost(MILLION_EACH) == 2 * 10**9


class TestTiers:
    MODEL = offer(
        price(input_mtok="4", cache_read_mtok="1", output_mtok="8"),
        variants=[
            g.PriceVariant(when={"processing": "batch"}, prices=price(input_mtok="2", output_mtok="4")),
            g.PriceVariant(when={"service_tier": "flex"}, prices=price(output_mtok="5")),
        ],
    )

    def test_a_variant_of_the_data_replaces_the_prices_that_it_names(self):
        book = PriceBook({}, data(self.MODEL))
        assert cost(book, "vendor", "m") == 12
        assert cost(book, "vendor", "m", tier="batch") == 6
        assert cost(book, "vendor", "m", tier="flex") == 9

    def test_a_tier_of_which_nothing_is_stated_costs_what_the_standard_one_does(self):
        assert cost(PriceBook({}, data(self.MODEL)), "vendor", "m", tier="scale") == 12

    def test_a_configured_factor_multiplies_the_standard_price_and_wins_over_the_data(self):
        book = PriceBook(
            {"vendor": {"*": {"tiers": {"batch": "0.25", "priority": "1.75"}}}}, data(self.MODEL)
        )
        assert cost(book, "vendor", "m") == 12
        assert cost(book, "vendor", "m", tier="batch") == 3
        assert cost(book, "vendor", "m", tier="priority") == 21
        assert cost(book, "vendor", "m", tier="flex") == 9

    def test_a_variant_is_its_own_providers_and_not_of_those_that_resell_the_model(self):
        maker = g.Provider(id="maker", name="Maker", api_pattern="", models=[self.MODEL])
        seller = g.Provider(id="seller", name="S", api_pattern="", fallback_model_providers=["maker"])
        book = PriceBook({}, PriceData(lambda: [seller, maker], {"maker": "maker", "seller": "seller"}))
        assert cost(book, "maker", "m", tier="batch") == 6
        assert cost(book, "seller", "m", tier="batch") == 12

    def test_a_factor_of_an_unknown_price_is_unknown(self):
        book = PriceBook({"vendor": {"*": {"tiers": {"batch": "0.5"}}}}, data(self.MODEL))
        assert cost(book, "vendor", "other", tier="batch") is None

    def test_a_configured_price_has_the_tiers_that_it_states(self):
        book = PriceBook(
            {"vendor": {"m": {**PLAIN, "request": "1", "tiers": {"batch": "0.5"}}}}, data(self.MODEL)
        )
        assert cost(book, "vendor", "m") == 4
        assert cost(book, "vendor", "m", tier="batch") == 2
        assert cost(book, "vendor", "m", tier="flex") == 4


class TestVersion:
    def test_names_the_data(self):
        assert PriceBook({}).version == VERSION
        assert PriceBook({"openai": {}}).version == VERSION
        assert VERSION.startswith("genai-prices ")

    def test_changes_with_any_configured_price_and_not_with_their_order(self):
        one = PriceBook({"a": {"m": {"input_mtok": "1", "output_mtok": "2"}}}).version
        same = PriceBook({"a": {"m": {"output_mtok": "2", "input_mtok": "1"}}}).version
        other = PriceBook({"a": {"m": {"input_mtok": "1", "output_mtok": "2.1"}}}).version
        assert one == same != other
        assert one.startswith(VERSION)


def test_names_that_clients_make_up_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(price_book, "KEPT", 8)
    book = PriceBook({}, data(offer(price(input_mtok="1", output_mtok="2"))))
    for number in range(50):
        book.rates("vendor", f"made-up-{number}x", now=NOW)
        assert cost(book, "vendor", "m") == 3
    assert len(book._kept) <= 8


def test_the_data_is_read_when_it_is_first_needed():
    """It takes tens of milliseconds, and seconds where bytecode is not cached: a start does not wait for it."""
    program = """
import sys
from app.usage.price_book import PriceBook
book = PriceBook({"acme": {"*": {"input_mtok": "1", "output_mtok": "2"}}})
assert book.rates("acme", "large", now=0) is not None
assert "genai_prices.data" not in sys.modules
book.load()
assert "genai_prices.data" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)
