"""`admin` and `audit`: what is taken, and what is said of the rest."""

from __future__ import annotations


def test_the_admin_port_is_another_one(complaints, loads) -> None:
    assert complaints("admin: {port: 4000}") == [
        (
            "config.yaml:1:15: admin.port: is the same as `server.port`; "
            "give it another one, or leave it out to have the admin API on `server.port`"
        )
    ]
    (line,) = complaints("server: {port: 5000, host: 10.0.0.1}\nadmin: {port: 5000}")
    assert line.startswith("config.yaml:2:15: admin.port: is the same")
    assert complaints("server: {port: 0}\nadmin: {port: 0}") == []
    assert loads('admin: {port: ""}').config.hosts == ("127.0.0.1",)
    assert loads("admin: {port: 4001, host: 10.0.0.1}").config.hosts == ("127.0.0.1", "10.0.0.1")


def test_a_rate_and_how_long_changes_are_kept(complaints, loads) -> None:
    for text in ("600", "0/minute", "60/fortnight", "60 per minute"):
        (line,) = complaints(f"admin: {{rate_limit: {text}}}")
        assert line.endswith(
            f"`{text}` is no rate; write a number and one of second, minute, hour, day: `600/minute`"
        )
    assert loads("{}").config.audit.retention == 365 * 86_400
    assert loads("audit: {retention: 30d}").config.audit.retention == 30 * 86_400
    assert loads("audit: {retention: null}").config.audit.retention is None
