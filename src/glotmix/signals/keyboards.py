"""Arabic, Persian and Urdu typed on each other's keyboards, with the letters of their own.

The three have code points of their own for yeh, kaf and heh, which look alike; a model of languages that counts letters
takes a text with the neighbour's for another language. What the text has beside them tells: the retroflex letters and
the barree yeh of Urdu; peh, cheh, jeh and gaf of Persian; teh marbuta and the hamzas of Arabic. A text that has letters
of a fourth language (Pashto, Sindhi, Uyghur, Kurdish, Jawi …) is left as it is: there both forms may have a meaning.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_URDU = "ٹڈڑںے"
_PERSIAN = "پچژگ"
_ARABIC = "ةأإى"
_OTHERS = re.compile(
    "[ټډړڼښږځڅېۍ"  # Pashto
    "ٺٽڀڄڦڙڏڌڍڪڱڳڻ"  # Sindhi
    "ۇۆۈۋڭەێڕڵ"  # Uyghur, Kurdish
    "ڠڤڽݢۏ]"  # Jawi
)
_ARTICLE = re.compile(r"(?<![\u0620-\u06d3])(?:و|ب|ل|ف)?ال(?=[\u0620-\u06d3]{2})")
_TO_URDU = str.maketrans("يىكه", "ییکہ")
_TO_PERSIAN = str.maketrans("يىك", "ییک")
_TO_ARABIC = str.maketrans("یکہھ", "يكهه")

SHARE = 0.01
"""The share of characters that must be a language's own before a text is taken for it (Persian has 0.03 to 0.05 of its
four, Urdu 0.04 of its five; an Arabic text with a Persian name stays below)."""


def respelled(texts: "pa.Array | pa.ChunkedArray", arabic: NDArray[np.bool_]) -> pa.Array:
    """Return texts with yeh, kaf and heh as the language writes them that their other letters tell.

    Letters become other letters of the Arabic script, one for one: how many there are of each script does not change.

    Args:
        texts: n strings.
        arabic: (n,) which of them hold a letter of the Arabic script.

    >>> texts = ["يه كشتي پرانے گهاٹ سے", "كتاب های پارسی گم شد", "في المدینة الکبیرة", "Ça va ?"]
    >>> respelled(pa.array(texts), np.array([True, True, True, False])).to_pylist()
    ['یہ کشتی پرانے گہاٹ سے', 'کتاب های پارسی گم شد', 'في المدينة الكبيرة', 'Ça va ?']
    """
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    rows = np.flatnonzero(arabic)
    if not len(rows):
        return texts
    held = texts.take(pa.array(rows))
    own = _any_of(_URDU + _PERSIAN, held)
    # What may need it at all: letters of one keyboard together with letters of another language.
    suspect = (_any_of("يك", held) & own) | (_any_of("یک", held) & _any_of(_ARABIC, held))
    suspect |= own & _any_of("ه", held) & _any_of(_URDU, held)
    rows = rows[suspect]
    if not len(rows):
        return texts
    spelled = pa.array([_respelled(t) for t in texts.take(pa.array(rows)).to_pylist()], texts.type)
    mask = np.zeros(len(texts), dtype=bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), spelled)


def _any_of(letters: str, texts: pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.match_substring_regex(texts, f"[{letters}]").to_numpy(zero_copy_only=False)
    return found


def _respelled(text: str) -> str:
    urdu, persian, arabic = (sum(map(text.count, own)) for own in (_URDU, _PERSIAN, _ARABIC))
    least = max(1, SHARE * len(text))
    if urdu >= least and urdu > arabic:
        table = _TO_URDU
    elif urdu + persian < least and arabic >= least:
        table = _TO_ARABIC
    elif persian >= least:
        table = _TO_PERSIAN
    else:
        return text
    if not any(chr(letter) in text for letter in table) or len(_OTHERS.findall(text)) >= least:
        return text
    # Gaf is typed in Arabic, too, for a sound of its dialects; Persian has few words with the Arabic article.
    if table is _TO_PERSIAN and persian <= arabic - text.count("ى") + len(_ARTICLE.findall(text)):
        return text
    return text.translate(table)
