"""What all models of `unequal` and `phases` have in common: languages, text, budget."""

from benchmarks._halves import Trainer
from benchmarks._unequal_text import FOLDER, STOCK, texts

LANGUAGES = tuple(sorted(STOCK))
TOKENS = 98_304
HERE = Trainer(FOLDER, LANGUAGES, texts)
