"""Fitted functions from a mixture to a loss per language."""
