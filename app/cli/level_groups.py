"""`switchgear organisations|teams|users|plans|budgets` and their commands, with their arguments."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.options import AsJson, ConfigFiles, failing_on, load_or_fail

Name = Annotated[str, typer.Argument(metavar="NAME")]
Subject = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="Whose: key:NAME, user:NAME, team:NAME, plan:PLAN/NAME …")
]


def _group(name: str, help: str) -> typer.Typer:
    return typer.Typer(name=name, help=help, rich_markup_mode=None, no_args_is_help=True)


def _levels(kind: str) -> typer.Typer:
    """Give the commands of something that stands in the configuration."""
    group = _group(kind, f"List and show {kind}.")

    @group.command("list", help=f"List the {kind} of the configuration.")
    def list_levels(config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
        from app.cli.levels import show_all

        show_all(load_or_fail(config), kind, as_json=as_json)

    @group.command("show", help=f"Show all that one of the {kind} allows.")
    def show_level(name: Name, config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
        from app.cli.levels import show_one

        show_one(load_or_fail(config), kind, name, as_json=as_json)

    return group


levels = tuple(map(_levels, ("organisations", "teams", "users", "plans")))
budgets = _group("budgets", "List and show what budgets have spent, have left, and when they reset.")


@budgets.command("list")
def list_budgets(config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """List budgets: of keys, users, teams, organisations, plans, models and providers."""
    _show(config, None, as_json=as_json)


@budgets.command("show")
def show_budgets(subject: Subject, config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """Show the budgets of one subject."""
    _show(config, subject, as_json=as_json)


def _show(config: ConfigFiles, subject: str | None, *, as_json: bool) -> None:
    from app.cli.budgets import show
    from app.store.database import StoreUnavailable

    with failing_on(StoreUnavailable):
        show(load_or_fail(config), subject, as_json=as_json)
