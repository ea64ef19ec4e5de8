import csv
import io
import json

from app.store.calls import CallSum
from app.usage.report import usage_csv, usage_json, usage_table


def line(group, *, cost="1.5", unpriced=0):
    return CallSum(
        group=group,
        calls=12,
        errors=1,
        input_tokens=1000,
        output_tokens=200,
        cached_tokens=30,
        cost=cost,
        known_cost="1.5",
        unpriced=unpriced,
    )


def test_the_table_is_aligned_and_says_what_is_unknown():
    table = usage_table([line({"key": "ci"}), line({"key": None}, cost=None, unpriced=2)])
    assert table.splitlines() == [
        "key  calls  errors  input tokens  output tokens  cached tokens                      cost $",
        "ci      12       1          1000            200             30                         1.5",
        "-       12       1          1000            200             30  unknown (1.5 + 2 unpriced)",
    ]


def test_no_calls_are_said_to_be_none():
    assert usage_table([]) == "No calls in this time."
    assert json.loads(usage_json([])) == []
    assert len(usage_csv([]).splitlines()) == 1


def test_a_terminal_gets_no_control_characters():
    assert "\x1b" not in usage_table([line({"model": "\x1b[2Jgone"})])


def test_csv_says_unknown_and_runs_no_formula():
    rows = list(
        csv.DictReader(
            io.StringIO(usage_csv([line({"model": "=1+1", "day": "2026-11-20"}, cost=None, unpriced=1)]))
        )
    )
    assert rows == [
        {
            "model": "'=1+1",
            "day": "2026-11-20",
            "calls": "12",
            "errors": "1",
            "input_tokens": "1000",
            "output_tokens": "200",
            "cached_tokens": "30",
            "cost": "unknown",
            "known_cost": "1.5",
            "unpriced_calls": "1",
        }
    ]


def test_json_has_null_for_unknown_and_texts_for_money():
    found = json.loads(usage_json([line({"key": "ci"}), line({"key": None}, cost=None, unpriced=1)]))
    assert [(row["key"], row["cost"], row["calls"]) for row in found] == [("ci", "1.5", 12), (None, None, 12)]
