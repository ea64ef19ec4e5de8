import pytest

from app.store.calls import CallFilter, CallStore
from app.telemetry.record import AttemptRecord


@pytest.fixture
def store(database):
    return CallStore(database)


def tried(provider, model="large", outcome="success", **more):
    fields = {"status": 200, "duration_ms": 100.0, "ttft_ms": 10.0, "input_tokens": 900, "output_tokens": 100}
    return AttemptRecord(provider=provider, model=model, outcome=outcome, **(fields | more))


async def test_targets_of_a_model_stand_side_by_side(store, make_record):
    await store.insert_calls(
        [
            make_record("a", tries=[tried("acme", cost_nano=2_000_000)]),
            make_record("b", tries=[tried("acme", cost_nano=4_000_000, duration_ms=400.0, ttft_ms=40.0)]),
            make_record(
                "c",
                tries=[
                    tried("acme", outcome="timeout", input_tokens=None, output_tokens=None, ttft_ms=None),
                    tried("other", model="vendor/large", cost_nano=1_000_000),
                ],
            ),
            make_record("d", tries=[tried("acme", outcome="cancelled")]),
            make_record("e", model="elsewhere", tries=[tried("third")]),
            make_record("f", model="elsewhere", tries=[tried("fourth", model="small")]),
        ],
        "run",
        1,
    )
    acme, other = await store.compare("fast")
    assert [each.provider for each in await store.compare("large")] == ["acme", "third"]
    assert (acme.provider, acme.model, acme.calls, acme.errors, acme.error_ratio) == (
        "acme",
        "large",
        4,
        1,
        0.25,
    )
    assert (acme.cost_per_1k_calls, acme.cost_per_mtok) == ("3", "3")
    assert acme.latency.p50 == pytest.approx(100, rel=0.05)
    assert acme.latency.p95 == pytest.approx(400, rel=0.05)
    assert acme.ttft.p95 == pytest.approx(40, rel=0.05)
    assert (other.provider, other.model, other.calls, other.cost_per_1k_calls) == (
        "other",
        "vendor/large",
        1,
        "1",
    )


async def test_what_is_not_known_is_none_and_a_filter_holds(store, make_record):
    unpriced = {"cost": None, "cost_nano": None}
    failing = [tried("acme", outcome="timeout", ttft_ms=None)]
    records = [make_record("a", key="a", tries=failing, **unpriced), make_record("b", key="b")]
    await store.insert_calls(records, "run", 1)
    (failed,) = await store.compare("large", CallFilter(key="a"))
    assert (failed.cost_per_1k_calls, failed.cost_per_mtok, failed.latency, failed.ttft) == (None,) * 4
    assert failed.error_ratio == 1
    assert await store.compare("nothing") == []


async def test_the_only_try_of_a_call_has_used_what_the_call_has(store, make_record):
    only = AttemptRecord(provider="acme", model="large", outcome="success", status=200, duration_ms=1)
    await store.insert_calls([make_record("a", tries=[only])], "run", 1)
    (found,) = await store.compare("large")
    assert (found.cost_per_1k_calls, found.cost_per_mtok) == ("1.23", "41")
