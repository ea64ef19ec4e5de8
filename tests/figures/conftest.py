"""What `make faults` measures and prints as one table: how the gateway behaves while providers fail."""

from __future__ import annotations

from tests.proofs.conftest import figures, note

__all__ = ["figures", "note"]
