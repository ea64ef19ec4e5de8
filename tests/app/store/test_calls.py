import pytest

from app.store.calls import CallFilter, CallStore, RowRejected
from app.store.money import dollars, nano_dollars
from app.telemetry.record import AttemptRecord, Charge

NINE = 1795165200.0
"""2026-11-20T09:00:00Z"""


@pytest.fixture
def store(database):
    return CallStore(database)


async def test_a_call_comes_back_as_it_was(store, make_record):
    record = make_record("a", user="ann", ttft_ms=None, cache="hit")
    assert await store.insert_calls([record], "run", 70) == 1
    assert await store.list_calls(10) == [record]
    assert await store.spool_offset("run") == 70


async def test_the_same_call_is_one_row_and_the_same_request_id_is_two(store, make_record):
    await store.insert_calls([make_record("a")], "run", 1)
    again = [make_record("a"), make_record("b", request_id="req-a")]
    assert await store.insert_calls(again, "run", 2) == 1
    assert sorted(call.id for call in await store.list_calls(10)) == ["a", "b"]


@pytest.mark.parametrize(
    "changes",
    [
        {"input_tokens": -1},
        {"output_tokens": 1 << 70},
        {"cost": "-1", "cost_nano": None},
        {"cost": "NaN", "cost_nano": None},
        {"cost": "much", "cost_nano": None},
        {"cost_nano": -1},
        {"cost_nano": 1 << 70},
        {"charges": [Charge(subject="key:ci", period="day", period_start=0, nano=-1)]},
        {"charges": [Charge(subject="key:ci", period="day", period_start=0, nano=1 << 62)]},
        {
            "tries": [
                AttemptRecord(provider="a", model="b", outcome="c", status=1, duration_ms=1, cost_nano=-1)
            ]
        },
        {"timestamp": "yesterday"},
        {"status": 1 << 70},
    ],
)
async def test_an_impossible_row_is_rejected_and_nothing_of_its_batch_is_written(store, make_record, changes):
    with pytest.raises(RowRejected):
        await store.insert_calls([make_record("good"), make_record("bad", **changes)], "run", 9)
    assert await store.list_calls(10) == []
    assert await store.spool_offset("run") == 0


async def test_texts_are_capped_without_nul_and_long_ids_stay_apart(store, make_record):
    long = "x" * 5000
    await store.insert_calls([make_record(long + "a", model="a\0" + long), make_record(long + "b")], "run", 1)
    found = await store.list_calls(10)
    assert len(found) == 2
    assert {call.model for call in found} == {"a" + "x" * 255, "fast"}


async def test_listing_is_newest_first_and_filtered(store, make_record):
    times = {"a": "2026-11-20T10:00:00Z", "b": "2026-11-20T12:00:00+02:30", "c": "2026-11-20T08:59:59.999Z"}
    records = [make_record(id, timestamp=time) for id, time in times.items()]
    await store.insert_calls([*records, make_record("d", key='it\'s "quoted"; --')], "run", 1)
    assert [call.id for call in await store.list_calls(10)] == ["d", "a", "b", "c"]
    assert [call.id for call in await store.list_calls(2)] == ["d", "a"]
    within = CallFilter(since=NINE, until=NINE + 3600.0)
    assert [call.id for call in await store.list_calls(10, within)] == ["b"]
    assert [call.id for call in await store.list_calls(10, CallFilter(key='it\'s "quoted"; --'))] == ["d"]
    with pytest.raises(ValueError, match="1 to 10000"):
        await store.list_calls(0)


async def test_sums_by_several_dimensions(store, make_record):
    await store.insert_calls(
        [
            make_record("a"),
            make_record("b", outcome="upstream_error", input_tokens=None, cost="0.1", cost_nano=None),
            make_record("c", outcome="client_cancelled", timestamp="2026-11-21T00:00:00Z"),
            make_record("d", key=None, cost=None, cost_nano=None),
            make_record("e", key=None, cost="2", cost_nano=None),
            make_record(
                "f", key=None, cost=None, cost_nano=None, attempts=0, provider=None, outcome="refused"
            ),
        ],
        "run",
        1,
    )
    sums = {tuple(line.group.values()): line for line in await store.sum_calls(["key", "day"])}
    first = sums["ci", "2026-11-20"]
    assert (first.calls, first.errors, first.input_tokens, first.output_tokens) == (2, 1, 10, 40)
    assert (first.cached_tokens, first.cost) == (8, "0.10123")
    assert sums["ci", "2026-11-21"].errors == 0
    unknown = sums[None, "2026-11-20"]
    assert (unknown.cost, unknown.known_cost, unknown.unpriced) == (None, "2", 1)
    assert [
        dict(line.group) for line in await store.sum_calls(["provider"], CallFilter(provider="acme"))
    ] == [{"provider": "acme"}]


async def test_summing_by_nothing_or_by_something_else_is_refused(store):
    for by in ([], ["tags"], ["tag:"], ['tag:"']):
        with pytest.raises(ValueError, match="key, model, provider, day|name of a tag"):
            await store.sum_calls(by)


@pytest.mark.parametrize(
    ("text", "nanos"), [("0", 0), ("0.000000001", 1), ("0.0000000001", 1), ("12.5", 12_500_000_000)]
)
def test_money_is_whole_nano_dollars_rounded_up(text, nanos):
    assert nano_dollars(text) == nanos
    assert nano_dollars(dollars(nanos)) == nanos


def test_money_is_written_without_zeros_at_its_end():
    assert [dollars(n) for n in (0, 10, 1_000_000_000, 100_000_000_000, -1_500_000_000)] == [
        "0",
        "0.00000001",
        "1",
        "100",
        "-1.5",
    ]
