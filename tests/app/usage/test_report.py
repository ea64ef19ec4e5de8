import csv
import io
import json
import re

from app.store.calls import CallSum, TargetFigures
from app.store.histogram import Percentiles
from app.usage.report import usage_csv, usage_json, usage_table
from app.usage.report_comparison import comparison_csv, comparison_json, comparison_table


def line(group, *, cost="1.5", unpriced=0, latency=None, ttft=None):
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
        latency=latency,
        ttft=ttft,
    )


SLOW = Percentiles(0.123456, 1234.567, 98765.4)
ACME = TargetFigures(
    provider="acme",
    model="=large",
    calls=3000,
    errors=10,
    cost_per_1k_calls="1.2",
    cost_per_mtok="0.4",
    latency=SLOW,
    ttft=Percentiles(1.0, 2.0, 3.0),
)
SILENT = TargetFigures("other", "\x1b[2J", 2, 2, None, None, None, None)


def test_the_table_is_aligned_and_says_what_is_unknown():
    table = usage_table([line({"key": "ci"}, latency=SLOW), line({"key": None}, cost=None, unpriced=2)])
    head, first, second = table.splitlines()
    assert re.split(" {2,}", head) == [
        *("key", "calls", "errors", "input tokens", "output tokens", "cached tokens"),
        *("p50 ms", "p95 ms", "p99 ms", "ttft p50 ms", "ttft p95 ms", "ttft p99 ms", "cost $"),
    ]
    assert first.split() == [
        "ci",
        "12",
        "1",
        "1000",
        "200",
        "30",
        "0.123",
        "1230",
        "98800",
        "-",
        "-",
        "-",
        "1.5",
    ]
    assert second.endswith("unknown (1.5 + 2 unpriced)")
    assert len(first) == len(head) == len(second)


def test_no_calls_are_said_to_be_none():
    assert usage_table([]) == "No calls in this time."
    assert json.loads(usage_json([])) == []
    assert len(usage_csv([]).splitlines()) == 1


def test_a_terminal_gets_no_control_characters():
    assert "\x1b" not in usage_table([line({"model": "\x1b[2Jgone"})])


def test_csv_says_unknown_and_runs_no_formula():
    written = usage_csv([line({"model": "=1+1", "day": "2026-11-20"}, cost=None, unpriced=1, ttft=SLOW)])
    assert list(csv.DictReader(io.StringIO(written))) == [
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
            "latency_p50_ms": "",
            "latency_p95_ms": "",
            "latency_p99_ms": "",
            "ttft_p50_ms": "0.123",
            "ttft_p95_ms": "1230",
            "ttft_p99_ms": "98800",
        }
    ]


def test_json_has_null_for_unknown_and_texts_for_money():
    found = json.loads(
        usage_json([line({"key": "ci"}, latency=SLOW), line({"key": None}, cost=None, unpriced=1)])
    )
    assert [(row["key"], row["cost"], row["calls"]) for row in found] == [("ci", "1.5", 12), (None, None, 12)]
    assert [(row["latency_p95_ms"], row["ttft_p95_ms"]) for row in found] == [(1230, None), (None, None)]


def test_targets_are_compared_in_a_table():
    head, acme, silent = comparison_table([ACME, SILENT]).splitlines()
    assert re.split(" {2,}", head)[-4:] == ["p50 ms", "p95 ms", "ttft p50 ms", "ttft p95 ms"]
    assert acme.split() == ["acme", "=large", "3000", "0.33", "1.2", "0.4", "0.123", "1230", "1", "2"]
    assert silent.split() == ["other", "?[2J", "2", "100.00", "-", "-", "-", "-", "-", "-"]
    assert comparison_table([]) == "No calls of this model in this time."


def test_a_comparison_is_csv_and_json_too():
    acme, silent = csv.DictReader(io.StringIO(comparison_csv([ACME, SILENT])))
    assert (acme["model"], acme["error_ratio"], acme["cost_per_mtok"]) == ("'=large", "0.0033", "0.4")
    assert (silent["cost_per_1k_calls"], silent["ttft_p95_ms"]) == ("", "")
    found = json.loads(comparison_json([ACME, SILENT]))
    assert [each["latency_p50_ms"] for each in found] == [0.123, None]
    assert [each["cost_per_1k_calls"] for each in found] == ["1.2", None]
