"""What a model answers in each language: consistency, fidelity, fair scores, the price of its tokenizer."""
