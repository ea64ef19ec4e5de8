"""Our integers against genai-prices' own arithmetic, over all of its models."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_CEILING, localcontext

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ClauseEquals

from app.usage.price_book import PriceBook
from app.usage.price_data import PriceData
from providers.types import Usage

pytestmark = pytest.mark.slow


def by_its_id(row, info):
    """Let a model answer to its id, where it has many names and that is none of them."""
    return info if row.find_model(info.id) is info else replace(info, match=ClauseEquals(equals=info.id))


PROVIDERS = [
    replace(row, models=[by_its_id(row, info) for info in row.models]) for row in get_snapshot().providers
]
MODELS = [(row, info) for row in PROVIDERS for info in row.models]
THEIR_BOOK = DataSnapshot(PROVIDERS, from_auto_update=False)
OURS = PriceBook({}, PriceData(lambda: PROVIDERS, {row.id: row.id for row in PROVIDERS}))
PRICED_HERE = (
    *("input_mtok", "output_mtok", "requests_kcount", "audio_hours", "input_mchars", "web_searches_kcount"),
    *("input_audio_mtok", "output_audio_mtok", "input_image_mtok", "output_image_mtok"),
)

MOMENTS = [
    datetime(2024, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2026, 9, 9, 2, 30, tzinfo=UTC),
    datetime(2027, 6, 1, 16, 30, tzinfo=UTC),
]
USAGES = [
    Usage(input_tokens=1),
    Usage(input_tokens=999, output_tokens=333, cached_tokens=512, reasoning_tokens=100),
    Usage(input_tokens=100_001, output_tokens=7, cache_write_tokens=77_777, cached_tokens=11_111),
    Usage(input_tokens=128_000, output_tokens=64_001, audio_input_tokens=3_001, audio_output_tokens=1_003),
    Usage(input_tokens=272_001, output_tokens=13, cached_tokens=200_000, cache_write_tokens=5),
    # So many that a rate which is wrong in its last decimal shows.
    Usage(10**15 + 7, 10**15 + 3, 3 * 10**14 + 1, 2 * 10**14 + 1, 10**14 + 1, 10**14 + 3, 10**14 + 7),
]
TIERS = ("batch", "flex", "priority", "fast", "default")


def their_usage(usage):
    return TheirUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        input_audio_tokens=usage.audio_input_tokens,
        output_audio_tokens=usage.audio_output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        # Usage as we know it does not say more, and they want to be told.
        **dict.fromkeys(
            ("cache_write_1h_tokens", "cache_audio_read_tokens", "cache_image_read_tokens"),
            0,
        ),
        **dict.fromkeys(("input_image_tokens", "input_video_tokens", "web_searches"), 0),
    )


def differences(row, info, moment, tier, usages=USAGES):
    rates = OURS.rates(row.id, info.id, now=moment.timestamp(), tier=tier)
    context = dict.fromkeys(("service_tier", "processing", "speed"), tier) if tier else None
    for usage, theirs in ((usage, their_usage(usage)) for usage in usages):
        price = THEIR_BOOK.calc(theirs, info.id, row.id, None, moment, context)
        if all(getattr(price.model_price, key) is None for key in PRICED_HERE):
            if rates is not None:
                yield f"{row.id}/{info.id}: {rates} although no token has a price"
            continue
        nanos = int((price.total_price * 10**9).to_integral_value(ROUND_CEILING))
        if rates is None or rates.cost(usage) != nanos:
            yield f"{row.id}/{info.id} {moment} {tier} {usage}: {nanos} against {rates}"


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_every_model_costs_what_the_data_says(moment):
    with localcontext(prec=80):
        wrong = [text for row, info in MODELS for text in differences(row, info, moment, "")]
    assert wrong == []


@pytest.mark.parametrize("tier", TIERS)
def test_every_service_tier_costs_what_the_data_says(tier):
    with localcontext(prec=80):
        varied = [(row, info) for row, info in MODELS if info.price_variants]
        wrong = [
            t for moment in MOMENTS for row, info in varied for t in differences(row, info, moment, tier)
        ]
    assert varied
    assert wrong == []


def test_a_price_that_changes_with_time_changes_to_the_second():
    timed = [(row, info) for row, info in MODELS if isinstance(info.prices, list)]
    edges = {
        datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        for _, info in timed
        for priced in info.prices
        if (day := getattr(priced.constraint, "start_date", None))
    }
    days = {
        clock.hour * 3600 + clock.minute * 60
        for _, info in timed
        for priced in info.prices
        for name in ("start_time", "end_time")
        if (clock := getattr(priced.constraint, name, None))
    }
    noon = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
    moments = sorted(edges)[-6:] + [noon + second for second in sorted(days)]
    assert len(moments) > 8
    with localcontext(prec=80):
        wrong = [
            text
            for moment in moments
            for second in (-1, 0)
            for row, info in timed
            for text in differences(row, info, datetime.fromtimestamp(moment + second, UTC), "", USAGES[-1:])
        ]
    assert wrong == []


def test_the_models_are_found_and_priced():
    for row, info in MODELS:
        assert row.find_model(info.id) is info
    known = sum(OURS.rates(row.id, info.id, now=MOMENTS[1].timestamp()) is not None for row, info in MODELS)
    assert len(MODELS) > 2000
    assert known > 0.85 * len(MODELS)  # the others have no price, or none by tokens


def test_their_public_function_says_the_same():
    for row, info in MODELS[::40]:
        rates = PriceBook({}, PriceData(priced_as={row.id: row.id})).rates(
            row.id, info.id, now=MOMENTS[1].timestamp()
        )
        if rates is not None:
            with localcontext(prec=80):
                price = calc_price(
                    their_usage(USAGES[-1]), info.id, provider_id=row.id, genai_request_timestamp=MOMENTS[1]
                )
                assert rates.cost(USAGES[-1]) == int(
                    (price.total_price * 10**9).to_integral_value(ROUND_CEILING)
                )


def test_no_real_usage_exceeds_the_bound_of_a_real_model():
    for row, info in MODELS:
        rates = OURS.rates(row.id, info.id, now=MOMENTS[2].timestamp())
        if rates is not None:
            for usage in USAGES:
                assert rates.cost(usage) <= rates.bound(usage.input_tokens, usage.output_tokens)


def test_a_known_price_by_hand():
    """gpt-4o-mini: $0.15 in, $0.075 cached, $0.60 out per million tokens."""
    rates = PriceBook({}).rates("openai", "gpt-4o-mini", now=MOMENTS[1].timestamp())
    assert rates.cost(Usage(input_tokens=1000, cached_tokens=200, output_tokens=100)) == (
        800 * 150 + 200 * 75 + 100 * 600
    )
    assert rates.bound(1000, 100) == 1000 * 150 + 100 * 600
