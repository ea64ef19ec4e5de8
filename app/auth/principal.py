"""Who is calling: a value that only the verifier makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. There is no anonymous one."""

    name: str
    """The key's name, as logs, metrics and the ledger write it."""
    models: tuple[str, ...] = ()
    """Names and patterns (`gpt-*`, `openai/*`) it may use; empty means all."""
    expires: float | None = None
    """Unix seconds after which it is not valid any more."""
    plan: str | None = None
    priority: str = "normal"
    """`low`, `normal` or `high`: who goes first where calls wait."""
    is_master: bool = False
    """Whether it may administer the gateway."""
    regions: tuple[str, ...] = ()
    """Regions of providers that its calls may go to; empty means all."""
    metadata: dict[str, str] = field(default_factory=dict)

    def may_use(self, model: str) -> bool:
        """Whether it may use the model of that name, public or `provider/model`."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)
