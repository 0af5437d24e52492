"""Decisions from signals: thresholds, the ledger, what is kept."""
