import pytest

from app.store.calls import CallStore, RowRejected
from app.store.retention import LONGEST_PERIOD, OldRows
from app.store.spending import SpendStore
from app.telemetry.record import Charge

DAY = 1795132800


def charge(nano, subject="key:ci", period="day", start=DAY):
    return Charge(subject=subject, period=period, period_start=start, nano=nano)


async def test_only_calls_that_are_new_are_charged(database, make_record):
    calls, spending = CallStore(database), SpendStore(database)
    a = make_record("a", charges=[charge(5), charge(7, period="month")])
    b = make_record("b", charges=[charge(10), charge(1, subject="plan:small")])
    await calls.insert_calls([a, a], "run", 1)
    await calls.insert_calls([a, b], "run", 2)
    assert await spending.spend(["key:ci"], DAY) == [charge(15), charge(7, period="month")]
    assert await spending.spend(["plan:small", "key:none"], DAY) == [charge(1, subject="plan:small")]
    assert (await calls.list_calls(2))[0].charges == a.charges


async def test_a_batch_that_is_refused_charges_nothing(database, make_record):
    calls = CallStore(database)
    good, bad = make_record("a", charges=[charge(5)]), make_record("b", charges=[charge(6)], input_tokens=-1)
    with pytest.raises(RowRejected):
        await calls.insert_calls([good, bad], "run", 1)
    assert await SpendStore(database).spend(["key:ci"], 0) == []


async def test_spending_is_told_from_a_time_on_and_for_good(database, make_record):
    charges = [charge(1, start=DAY - 86_400), charge(2), charge(3, period="total", start=0)]
    await CallStore(database).insert_calls([make_record("a", charges=charges)], "run", 1)
    assert await SpendStore(database).spend(["key:ci"], DAY) == charges[1:]


async def test_thousands_of_subjects_are_asked_for_at_once(database, make_record):
    charges = [charge(i, subject=f"key:{i}") for i in range(1200)]
    await CallStore(database).insert_calls([make_record("a", charges=charges)], "run", 1)
    found = await SpendStore(database).spend([f"key:{i}" for i in range(5000)], 0)
    assert sorted(each.nano for each in found) == list(range(1200))


async def test_periods_that_are_long_over_are_let_go_of(database, make_record):
    charges = [charge(1), charge(2, period="total", start=0)]
    await CallStore(database).insert_calls([make_record("a", charges=charges)], "run", 1)
    await OldRows(database).delete(DAY + LONGEST_PERIOD, 10)
    assert len(await SpendStore(database).spend(["key:ci"], 0)) == 2
    await OldRows(database).delete(DAY + LONGEST_PERIOD + 1, 10)
    assert await SpendStore(database).spend(["key:ci"], 0) == charges[1:]
