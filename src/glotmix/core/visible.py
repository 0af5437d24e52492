"""Whether a text holds anything that can be seen."""

import pyarrow as pa
import pyarrow.compute as pc

# White space, controls and formats (\pZ, Cc, Cf), and what looks like nothing without being one of them: fillers of
# Hangul and Khmer, the blank of Braille, variation selectors, the stand-in for an object.
_BLANK = (
    r"\pZ\p{Cc}\p{Cf}\x{34F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2065}\x{2800}\x{3164}"
    r"\x{FE00}-\x{FE0F}\x{FFA0}\x{FFF0}-\x{FFF8}\x{FFFC}\x{1D159}\x{E0000}-\x{E0FFF}"
)
# Formats that are drawn: signs of Arabic, Syriac and Kaithi that stand over or under a number.
_DRAWN = r"\x{600}-\x{605}\x{6DD}\x{70F}\x{890}\x{891}\x{8E2}\x{110BD}\x{110CD}"
_VISIBLE = f"[^{_BLANK}]|[{_DRAWN}]"


def visible(texts: pa.Array) -> pa.Array:
    """Return for each text whether it holds a character that can be seen; null for null.

    >>> visible(pa.array(["a", "\\u3000\\t", "\\u200b\\ufeff\\u00ad", "\\u3164\\u2800", "", "؀"])).to_pylist()
    [True, False, False, False, False, True]
    """
    # The search ends at the first one: a long text costs no more than a short one.
    return pc.match_substring_regex(texts, _VISIBLE)


def is_blank(text: str) -> bool:
    """Say whether one text holds nothing that can be seen.

    >>> is_blank("\\u200b \\n"), is_blank("。")
    (True, False)
    """
    return not pc.match_substring_regex(pa.scalar(text), _VISIBLE).as_py()
