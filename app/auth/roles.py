"""What roles may do at the admin API. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.auth.principal import Principal
from app.errors import PermissionDenied

ADMIN, OPERATOR, VIEWER, TEAM_ADMIN = "admin", "operator", "viewer", "team_admin"


class Permission(StrEnum):
    """What a route of the admin API needs."""

    READ = "read"
    OPERATE = "operate"
    READ_KEYS = "read_keys"
    WRITE_KEYS = "write_keys"


EVERYWHERE: Mapping[Permission, frozenset[str]] = {
    Permission.READ: frozenset({ADMIN, OPERATOR, VIEWER}),
    Permission.OPERATE: frozenset({ADMIN, OPERATOR}),
    Permission.READ_KEYS: frozenset({ADMIN, OPERATOR, VIEWER}),
    Permission.WRITE_KEYS: frozenset({ADMIN}),
}
"""The roles that have a permission for all teams."""
OF_ONE_TEAM: Mapping[Permission, frozenset[str]] = {
    Permission.READ_KEYS: frozenset({TEAM_ADMIN}),
    Permission.WRITE_KEYS: frozenset({TEAM_ADMIN}),
}
"""The roles that have it for the caller's team alone."""
CONTAINED: Mapping[str, frozenset[str]] = {
    ADMIN: frozenset({ADMIN, OPERATOR, VIEWER, TEAM_ADMIN}),
    OPERATOR: frozenset({OPERATOR, VIEWER}),
    VIEWER: frozenset({VIEWER}),
    TEAM_ADMIN: frozenset({TEAM_ADMIN}),
}
"""The roles that one who has a role may give to others."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A caller with a permission, for all teams or for one."""

    principal: Principal
    team: str | None = None
    """None: all."""


def authorize(principal: Principal, permission: Permission) -> Authority:
    """Let a caller do something. Raises `PermissionDenied`."""
    if principal.is_master or principal.roles & EVERYWHERE[permission]:
        return Authority(principal)
    if principal.team is not None and principal.roles & OF_ONE_TEAM.get(permission, frozenset()):
        return Authority(principal, principal.team)
    needed = ", ".join(sorted(EVERYWHERE[permission] | OF_ONE_TEAM.get(permission, frozenset())))
    raise PermissionDenied(f"This needs one of the roles {needed}, or the master key.")


def grantable(roles: frozenset[str]) -> frozenset[str]:
    """Give the roles that one with these roles may give to others."""
    return frozenset().union(*(CONTAINED.get(role, frozenset()) for role in roles))


def anyone_administers(principals: Iterable[Principal]) -> bool:
    """Whether one of these callers may do anything at the admin API."""
    return any(each.is_master or each.roles for each in principals)
