"""Proxies: small language models, each trained on another mixture, many of them as one program.

Only `model`, `program`, `cores`, `ensemble`, `bits`, `experts`, `export` and `train` need torch (the extra `train`);
they are imported where something is trained: what a recipe says of proxies can be checked without it.
"""

VERSION = 4
"""Raised whenever a change in this room changes a loss."""
