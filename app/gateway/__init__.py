"""The way of a call: plan, guards, attempts, settlement. Knows no web framework."""
