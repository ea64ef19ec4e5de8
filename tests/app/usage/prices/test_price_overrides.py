import pytest

from app.usage.price_book import PriceBook
from providers.types import Usage

PLAIN = {"input_mtok": "1.00", "output_mtok": "2.00"}


def nanos(prices, model="m", **tokens):
    return PriceBook({"openai": prices}).rates("openai", model, now=0).cost(Usage(**tokens))


def test_a_configured_price_stands_instead_of_the_published_one_whole():
    """Mixing both would bill cached tokens dearer than the input they are part of, or the reverse."""
    prices = {"gpt-4o": {"input_mtok": "0.01", "output_mtok": "0.02"}}
    assert nanos(prices, "gpt-4o", input_tokens=100, cached_tokens=100, output_tokens=100) == 1000 + 2000


def test_it_holds_for_its_provider_alone():
    book = PriceBook({"acme": {"*": PLAIN}})
    published = PriceBook({}).rates("openai", "gpt-4o", now=0)
    assert book.rates("openai", "gpt-4o", now=0) == published
    assert book.rates("acme", "anything", now=0) is not None
    assert book.rates("other", "anything", now=0) is None


def test_each_price_is_read_per_million_tokens_or_per_call():
    prices = {
        "input_mtok": "1",
        "output_mtok": "2",
        "cached_mtok": "0.1",
        "cache_write_mtok": "1.25",
        "audio_input_mtok": "10",
        "audio_output_mtok": "20",
        "reasoning_mtok": "3",
        "request": "0.005",
    }
    assert (
        nanos(
            {"m": prices},
            input_tokens=1000,
            cached_tokens=100,
            cache_write_tokens=200,
            audio_input_tokens=300,
            output_tokens=100,
            audio_output_tokens=10,
            reasoning_tokens=20,
        )
        == 400 * 1000
        + 100 * 100
        + 200 * 1250
        + 300 * 10_000
        + 70 * 2000
        + 10 * 20_000
        + 20 * 3000
        + 5_000_000
    )


def test_a_kind_without_its_own_price_costs_what_its_parent_costs():
    assert nanos({"m": PLAIN}, input_tokens=10, cached_tokens=5, audio_input_tokens=3) == 10_000
    assert nanos({"m": PLAIN}, output_tokens=10, reasoning_tokens=5, audio_output_tokens=3) == 20_000


def test_a_price_per_call_alone_is_a_price():
    assert nanos({"m": {"request": "0.25"}}, input_tokens=10**6, output_tokens=10**6) == 250_000_000


def test_amounts_are_exact_to_eighteen_decimals():
    prices = {"m": {"input_mtok": "0.000000000000000001", "output_mtok": "123456789.123456789012345678"}}
    assert nanos(prices, input_tokens=10**15) == 1
    assert nanos(prices, input_tokens=10**15 + 1) == 2
    assert nanos(prices, output_tokens=10**15) == 123456789123456789012345678


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("gpt-4o", 3),
        ("gpt-4o-2024-08-06", 4),  # the name itself
        ("gpt-4o-2024-11-20", 3),  # the name without its date wins over patterns
        ("gpt-4o-mini", 2),  # the longer pattern
        ("gpt-5", 1),
        ("GPT-4O", 3),
        ("llama-0613", 5),
    ],
)
def test_the_name_that_says_most_wins(model, dollars):
    prices = {
        name: {"input_mtok": amount, "output_mtok": "0"}
        for name, amount in {
            "*": "1",
            "gpt-4o-*": "2",
            "gpt-4o": "3",
            "gpt-4o-2024-08-06": "4",
            "Llama": "5",
        }.items()
    }
    assert nanos(prices, model, input_tokens=10**6) == dollars * 10**9


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"input_mtok": "1"}, 'output_mtok is missing; write output_mtok: "0"'),
        ({"output_mtok": "1"}, "input_mtok is missing"),
        ({"cached_mtok": "1"}, "input_mtok is missing"),
        (
            {**PLAIN, "input_mtok": 1.5},
            "prices.gpt-*.input_mtok: '1.5' will not do; write a decimal number as a text",
        ),
        ({**PLAIN, "input_mtok": "-1"}, "'-1' will not do"),
        ({**PLAIN, "input_mtok": "1e3"}, "'1e3' will not do"),
        ({**PLAIN, "input_mtok": "NaN"}, "'NaN' will not do"),
        ({**PLAIN, "input_mtok": "1,5"}, "'1,5' will not do"),
        ({**PLAIN, "input_mtok": ""}, "'' will not do"),
        ({**PLAIN, "input_mtok": "1\n"}, "will not do"),
        ({**PLAIN, "input_mtok": "1" * 50}, "will not do"),
        ({**PLAIN, "input_mtok": {"base": "1"}}, "will not do"),
        ({**PLAIN, "imput_mtok": "1"}, "`imput_mtok` is no price; there are input_mtok, cached_mtok"),
        ({**PLAIN, "tiers": "0.5"}, "a factor for each service tier"),
        ({**PLAIN, "tiers": {"batch": 0.5}}, "tiers.batch: '0.5' will not do"),
    ],
)
def test_what_cannot_be_a_price_is_refused_with_what_would_be_one(fields, said):
    with pytest.raises(ValueError) as refused:
        PriceBook({"openai": {"gpt-*": fields}})
    assert said in str(refused.value)
    assert str(refused.value).startswith("providers.openai.prices.gpt-*")
