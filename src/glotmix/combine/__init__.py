"""Sets of cells chosen for what they do together: random subsets trained on, a law of a set's worth, the best set.

A *cell* is a cluster of meaning within a source of a language. Numbers live in `cells`, `subsets`, `laws`, `judge`,
`choice` and `carried`; text and models in `gather`, `streams`, `training` and `trial`; `stages` ties them.
"""

VERSION = 1
"""Raised where a combination of the same documents would be measured, fitted or chosen in another way."""
