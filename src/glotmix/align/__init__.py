"""Languages tied together: parallel text found, packed for training, and what it does to a model, measured."""
