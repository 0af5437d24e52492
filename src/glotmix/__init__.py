"""glotmix: from raw text in many languages to a balanced training set, with the evidence that it is better."""

__version__ = "0.1.0"
