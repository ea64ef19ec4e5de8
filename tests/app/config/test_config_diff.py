from __future__ import annotations

from app.config.diff import diff


def changes(loads, before: str, after: str) -> list[str]:
    return [str(change) for change in diff(loads(before).config, loads(after).config)]


def test_the_same_has_no_changes(loads) -> None:
    text = "auth: {keys: [{name: a, key: sk-0123456789abcdef}]}\nproviders: {openai: {keys: [a]}}"
    assert changes(loads, text, text) == []
    assert changes(loads, "", "server: {port: 4000, drain: 60000ms}") == []


def test_what_is_added_removed_and_changed(loads) -> None:
    before = (
        "server: {port: 1, drain: 5s}\nproviders: {ollama: {drop: [a]}, vllm: {}}\nmodels: {fast: [echo/a]}"
    )
    after = "server: {port: 2, drain: 1h, allowed_hosts: [a]}\nproviders: {ollama: {exact: true, rename: {a: b}}}\nmodels: {fast: [echo/b], new: [fast]}"
    lines = changes(loads, before, after)
    assert [line for line in lines if "vllm" not in line] == [
        "~ models.fast: [echo/a] → [echo/b]",
        "+ models.new: [fast]",
        "~ providers.ollama.drop: [a] → []",
        "~ providers.ollama.exact: null → true",
        "+ providers.ollama.rename.a: b",
        "~ server.allowed_hosts: [] → [a]",
        "~ server.drain: 5s → 1h",
        "~ server.port: 1 → 2",
    ]
    assert all(line.startswith("- providers.vllm.") for line in lines if "vllm" in line)


def test_secrets_are_compared_and_not_shown(loads) -> None:
    before = "auth: {master_key: sk-0123456789abcdef}\nproviders: {openai: {keys: [first-hidden]}}"
    after = "auth: {master_key: sk-fedcba9876543210}\nproviders: {openai: {keys: [second-hidden]}}\nmetrics: {token: third-hidden}"
    assert changes(loads, before, after) == [
        "~ auth.master_key: *** → ***",
        "~ metrics.token: null → ***",
        "~ providers.openai.keys.0.key: *** → ***",
    ]


def test_keys_are_told_apart_by_name(loads) -> None:
    a = "{name: a, key: sk-0123456789abcdef}"
    b = "{name: b, key: sk-fedcba9876543210}"
    assert changes(loads, f"auth: {{keys: [{a}, {b}]}}", f"auth: {{keys: [{b}, {a}]}}") == []
    lines = changes(
        loads, f"auth: {{keys: [{a}]}}", f"auth: {{keys: [{b.replace('}', ', expires: 2030-01-01}')}]}}"
    )
    assert "- auth.keys.a.key: ***" in lines
    assert "+ auth.keys.b.expires: 2030-01-01T00:00:00Z" in lines


def test_a_model_is_shown_by_its_targets_and_what_is_set_besides(loads) -> None:
    short, long = "models: {fast: [echo/a]}", "models: {fast: {targets: [echo/a]}}"
    assert changes(loads, short, long) == []
    more = "models: {fast: {targets: [echo/b], limits: {rpm: 5}, queue: {max_wait: 2s}}}"
    assert changes(loads, short, more) == [
        "~ models.fast: [echo/a] → [echo/b]",
        "+ models.fast.limits.rpm: 5",
        "+ models.fast.queue.max_wait: 2s",
    ]


def test_budgets_are_shown_as_dollars_and_alike_in_both_forms(loads) -> None:
    alone = "plans: {a: {budget: {amount: 1.5, per: day}}}"
    listed = "plans: {a: {budget: [{amount: '1.50', per: day, notify: [0.80]}]}}"
    assert changes(loads, alone, listed) == []
    changed = "plans: {a: {budget: [{amount: 10, per: day, notify: [0.5, 1]}]}}\nledger: {retention: 90d}"
    assert changes(loads, alone, changed) == [
        "~ ledger.retention: null → 90d",
        "~ plans.a.budget.0.amount: 1.50 → 10.00",
        "~ plans.a.budget.0.notify: [0.8] → [0.5, 1]",
    ]


def test_a_limit_that_comes_is_shown(loads) -> None:
    assert changes(loads, "plans: {a: {}}", "plans: {a: {limits: {rpm: 5}}}") == [
        "~ plans.a.limits.rpm: null → 5"
    ]
