"""Raters: trained models that turn documents into a quality score, and their audit."""
