"""Names that a recipe may use of a rater: of heads, strategies, and ways to hold a feature against its language."""

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["logistic", "boosting", "both", "mlp"]
"""How a head learns: see `glotmix.quality.heads.Head`."""

Strategy: TypeAlias = Literal["pooled", "target", "family", "leave-one-out"]
"""Whose labels teach the rater of a language: see `glotmix.quality.classifier_bank`."""

Against: TypeAlias = Literal["reference", "corpus"]
"""What a measured column is held against: what is usual in the language at that length in the reference that ships (a
score is then the document's own), or in the corpus that is rated."""

Normalise: TypeAlias = Literal["none", "z", "robust", "normal", "shared"]
"""How a value x of a document is seen, against the documents of its language:

- ``none``: as it is;
- ``z``: (x − mean) / sd;
- ``robust``: (x − median) / (q₉₀ − q₁₀) · 2.563, which is z for normal values (z where q₉₀ = q₁₀);
- ``normal``: the normal score Φ⁻¹(F(x)) of its mid-rank (van der Waerden), at most 3.5 either way;
- ``shared``: (x − mean) / s, where s is the sd *within* languages, pooled over them, as in the within estimator of
  panel data, but no further than a factor of two from the language's own. A language whose pages are much alike is
  not stretched to look as varied as the others.

``z``, ``robust`` and ``normal`` undo any shift and scaling of a column in one language, ``shared`` any shift. All but
``normal`` are cut off at 8 either way."""
