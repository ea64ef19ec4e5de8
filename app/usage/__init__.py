"""How much: the ledger of calls, and what is told from it."""
