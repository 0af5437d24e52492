"""How much of each language: numbers in, numbers out."""
