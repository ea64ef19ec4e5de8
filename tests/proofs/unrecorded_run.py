"""The gateway without its ledger: what recording costs is the difference."""

from __future__ import annotations

import app.main
from app.cli import main
from app.usage.spool import Spool


class Unwritten(Spool):
    """Forgets what it is told."""

    def append(self, entry: object) -> None:
        """Let it go."""


if __name__ == "__main__":
    app.main.Spool = Unwritten
    main()
