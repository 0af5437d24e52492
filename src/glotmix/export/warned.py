"""What the token files warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "no-sequence",
        "stands in a packed file, for no shard has",
        "A language has fewer tokens than one packed sequence, or its shards have. Its packed files are empty.",
        "Set a smaller `export.tokens.length` or a larger `export.tokens.shard_tokens`, or leave the language out.",
    ),
)
