"""Decisions from signals: thresholds, duplicates' representatives, what is kept, and the ledger that says why."""
