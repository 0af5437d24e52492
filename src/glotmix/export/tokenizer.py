"""A tokenizer of Hugging Face's library, ready to turn batches of texts into flat arrays of tokens.

What a text's tokens are is what the library `tokenizers` says. Where the library fastokens, which is ten times as fast,
says the same of this tokenizer, it does the work; where it does not, `tokenizers` does.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core import json_text
from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.export.token_files import token_type
from glotmix.signals.tokenizer import opened

VERSION = 1

_ENDS = ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "[EOS]", "<|im_end|>", "[SEP]")
_PROBES = (
    "",
    " ",
    "\n",
    "  two  spaces\t\ttabs \r\n\r\n lines \n \n\u00a0\u3000\u200b\ufeff",
    "I'll say we'd've DON'T 'S don’t; (a) [b] {c} <d> x=y+1 -- …!!! ?!?",
    "1234567890 3.14159 1,000,000 ١٢٣٤٥ १२३४५ ๑๒๓ ½ ² Ⅻ",
    "Straße ŒUVRE ﬁn café cafe\u0301 Ångstro\u0308m naïve ıİ",
    "Съешь ещё этих мягких французских булок. Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία.",
    "אָלֶף־בֵּית שלום. العَرَبِيَّةُ، كتابٌ؟ کتاب‌ها ټول",
    "हिन्दी क्षत्रिय ज्ञान। বাংলা ভাষা ড় ড়। தமிழ் ತಿಳಿ മലയാളം\u200d සිංහල",
    "ภาษาไทยไม่เว้นวรรค ພາສາລາວ မြန်မာဘာသာ ភាសាខ្មែរ བོད་ཡིག་",
    "中文没有空格，句子。日本語の文章はカナと漢字ｶﾅ。한국어 각\u1100\u1161",
    "አማርኛ፡ቋንቋ። ქართული հայերեն ᏣᎳᎩ ߒߞߏ ⵜⵉⴼⵉⵏⴰⵖ 𞤀𞤣𞤤𞤢𞤥 𐎠𐎡",
    "👍🏽 👩‍👩‍👧 🇫🇷 ♥️ ∑√∞ \x00\x01\x7f \ufffd \U0010ffff",
    "a" * 300 + " " * 300 + "\n" * 30 + "ก" * 100 + "字" * 100,
)
"""Texts that tell two implementations apart: white space, digits, contractions, composition, scripts, long runs."""


@dataclass(frozen=True)
class Tokens:
    """A tokenizer that is ready to use.

    Args:
        tokenizer: of the library `tokenizers`.
        end: the id of the token behind every document.
        vocabulary: how many ids there are.
        fast: the same tokenizer of the library fastokens; None where that cannot be had or says otherwise.
    """

    tokenizer: Any
    end: int
    vocabulary: int
    fast: Any | None = None

    def __call__(self, texts: list[str]) -> tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.int64]]:
        """Return the tokens of texts, each with the end behind it, of the type that files have, and where each ends."""
        flat, stops = self._encode(texts)
        ends = stops + np.arange(1, len(stops) + 1)
        tokens = np.full(len(flat) + len(ends), self.end, token_type(self.vocabulary))
        inside = np.ones(len(tokens), np.bool_)
        inside[ends - 1] = False
        tokens[inside] = flat
        return tokens, ends

    def reference(self) -> "Tokens":
        """Return the tokenizer as the library `tokenizers` has it."""
        return replace(self, fast=None)

    def differ(self, texts: list[str]) -> bool:
        """Return whether the two libraries say different things of texts."""
        pairs = zip(self(texts), self.reference()(texts), strict=True)
        return not all(np.array_equal(one, other) for one, other in pairs)

    def _encode(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        if self.fast is not None:
            ids, offsets = self.fast.encode_batch_flat(texts, add_special_tokens=False)
            return np.frombuffer(ids, "<u4"), np.frombuffer(offsets, "<u8")[1:].astype(np.int64)
        found = [one.ids for one in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        stops = np.cumsum(np.fromiter(map(len, found), np.int64, len(found)))
        total = int(stops[-1]) if len(stops) else 0
        return np.fromiter(chain.from_iterable(found), np.uint32, total), stops


@cache
def load(name: str, end: str | None = None, section: str = "export.tokens") -> Tokens:
    """Load a tokenizer.

    Args:
        name: the path of a ``tokenizer.json``, or a name on the Hub.
        end: the token behind every document; None for ``eos_token`` of the ``tokenizer_config.json`` beside it, else
            the one special token that is usually called so.
        section: of the recipe that asks for it, for what is said where it cannot be used.

    Raises:
        MissingExtraError: if the library `tokenizers` is not installed.
        RequestError: if there is no such tokenizer, or no such token in it.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError(section, "tokens") from error
    try:
        if Path(name).is_file():
            tokenizer = opened(Path(name))
        elif name.endswith(".json") or name.startswith((".", "/", "~")):
            raise FileNotFoundError("there is no such file")
        else:
            hub, _, revision = name.partition("@")
            tokenizer = Tokenizer.from_pretrained(hub, revision=revision or "main")
    except Exception as error:  # the library raises a bare Exception
        raise RequestError(
            f"{section}.tokenizer: {name} is no tokenizer: {error}", "the path of a tokenizer.json, or owner/name"
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    wanted = end or _configured(Path(name))
    found = tokenizer.token_to_id(wanted) if wanted is not None else None
    if wanted is None:
        usual = [token for token in _ENDS if tokenizer.token_to_id(token) is not None]
        found = tokenizer.token_to_id(usual[0]) if usual else None
    if found is None:
        special = [t.content for t in tokenizer.get_added_tokens_decoder().values() if t.special][:8]
        raise RequestError(
            f"{section}: the tokenizer has no token {wanted!r} to end a document with"
            if wanted is not None
            else f"{section}: the tokenizer does not say which token ends a document",
            f"{section}.end=TOKEN, one of {', '.join(special)}" if special else f"{section}.end=TOKEN",
        )
    made = Tokens(tokenizer, found, max(tokenizer.get_vocab_size(), found + 1))
    return replace(made, fast=_fast(made))


def _fast(made: Tokens) -> Any | None:
    """Return the tokenizer as fastokens has it; None where that is missing, refuses it, or differs on the probes."""
    try:
        import fastokens
    except ImportError:
        return None
    try:
        fast = fastokens.Tokenizer.from_json_str(made.tokenizer.to_str())
        special = [token.content for token in made.tokenizer.get_added_tokens_decoder().values()]
        probes = [*_PROBES, *(f"a{token}b {token} c" for token in special[:100])]
        return None if replace(made, fast=fast).differ(probes) else fast
    except Exception:  # it raises a bare Exception for what it does not know, and `tokenizers` knows it
        return None


def _configured(path: Path) -> str | None:

    config = path.with_name("tokenizer_config.json")
    if not path.is_file() or not config.is_file():
        return None
    token = json_text.loads(config.read_text("utf-8")).get("eos_token")
    return token.get("content") if isinstance(token, dict) else token
