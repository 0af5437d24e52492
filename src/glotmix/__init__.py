"""glotmix: from raw text in many languages to a balanced training set, with the evidence that it is better.

What the command line does, in Python: `run`, `plan`, `why`, `explain` of a recipe; `signals`, `quality`, `mix`,
`combine`, `instruct` and `evaluate` of what is in memory. See docs/python.md.
"""

from typing import TYPE_CHECKING

from glotmix.core.lazy import lazily

if TYPE_CHECKING:
    from glotmix import combine, evaluate, instruct, mix, quality, signals
    from glotmix.pipeline.api import Plan, Run, Settings, Story, demo, explain, plan, recipe, run, schema, why

__version__ = "0.1.0"
__all__ = [
    "Plan", "Run", "Settings", "Story", "combine", "demo", "evaluate", "explain", "instruct", "mix", "plan", "quality",
    "recipe", "run", "schema", "signals", "why",
]  # fmt: skip
_ROOMS = ("combine", "evaluate", "instruct", "mix", "quality", "signals")
__getattr__, __dir__ = lazily(__name__, {name: name if name in _ROOMS else "pipeline.api" for name in __all__})
