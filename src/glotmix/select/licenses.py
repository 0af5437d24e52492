"""Which documents their licence lets one keep: allow and deny lists of SPDX ids (after MixtureVitae, arXiv 2509.25531).

A licence is an SPDX expression such as ``MIT OR (Apache-2.0 AND CC-BY-4.0)``: of an OR one may choose a branch, of an
AND all must be allowed. Expressions are checked against SPDX's own list by `packaging.licenses` (the code of PEP 639).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from glotmix.core import json_text
from glotmix.core.errors import did_you_mean
from glotmix.core.rules import RuleHits

Expression: TypeAlias = "str | tuple[str, tuple[Expression, ...]]"
"""One licence, or (``AND`` or ``OR``, its parts)."""

# fmt: off
USUAL = (
    "0BSD", "AGPL-3.0-only", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-4.0",
    "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-PDDC", "CC0-1.0",
    "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "EUPL-1.2", "GFDL-1.3-only", "GPL-2.0-only", "GPL-3.0-only",
    "GPL-3.0-or-later", "ISC", "LGPL-3.0-only", "MIT", "MPL-2.0", "ODC-By-1.0", "ODbL-1.0", "OGL-UK-3.0", "PDDL-1.0",
    "Unlicense", "WTFPL",
)
# fmt: on
"""What texts and data are usually under: the words that a misspelled id is compared with."""


class UnknownLicenseError(ValueError):
    """This is no SPDX expression; says what may have been meant."""


@cache
def parse(text: str) -> Expression:
    """Return an SPDX expression as a tree, its ids spelled as SPDX does.

    Raises:
        UnknownLicenseError: if it is none, or names a licence that SPDX does not list.

    >>> parse("mit OR (apache-2.0 AND cc-by-4.0)")
    ('OR', ('MIT', ('AND', ('Apache-2.0', 'CC-BY-4.0'))))
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        canonical = canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        by_case = {known.lower(): known for known in USUAL}
        near = did_you_mean(text.strip().lower().replace(" ", "-"), by_case)
        for lower, known in by_case.items():
            near = near.replace(f"'{lower}'", f"'{known}'")
        raise UnknownLicenseError(f"{text!r} is no SPDX licence{near}") from error
    words = canonical.replace("(", " ( ").replace(")", " ) ").split()
    tree, rest = _either(words)
    assert not rest, rest
    return tree


def written(value: Any) -> str | None:
    """Return what a column says of a licence as one expression: of several in a list all count; None where it is none.

    >>> written(["MIT", "Apache-2.0 OR ISC"]), written('["MIT"]'), written('"MIT"'), written([]), written(7)
    ('MIT AND (Apache-2.0 OR ISC)', 'MIT', 'MIT', None, '7')
    """
    if isinstance(value, str) and value[:1] in ('"', "["):
        # A column that holds texts here and lists there is JSON text.
        try:
            value = json_text.loads(value)
        except ValueError:
            return str(value)
    if isinstance(value, list):
        parts = list(dict.fromkeys(part for part in map(written, value) if part is not None and part.strip()))
        return " AND ".join(f"({part})" if len(parts) > 1 and " " in part else part for part in parts) or None
    return None if value is None else str(value)


def _either(words: list[str]) -> tuple[Expression, list[str]]:
    """Read ``A OR B …``; AND binds closer (SPDX 2.3, annex D.4)."""
    parts = []
    while True:
        part, words = _all(words)
        parts.append(part)
        if words[:1] != ["OR"]:
            return (parts[0] if len(parts) == 1 else ("OR", tuple(parts))), words
        words = words[1:]


def _all(words: list[str]) -> tuple[Expression, list[str]]:
    parts: list[Expression] = []
    while True:
        if words[0] == "(":
            part, words = _either(words[1:])
            words = words[1:]
        else:
            # An exception belongs to its licence: GPL-2.0-only WITH Classpath-exception-2.0.
            size = 3 if words[1:2] == ["WITH"] else 1
            part, words = " ".join(words[:size]), words[size:]
        parts.append(part)
        if words[:1] != ["AND"]:
            return (parts[0] if len(parts) == 1 else ("AND", tuple(parts))), words
        words = words[1:]


def _listed(text: str) -> str:
    if "*" in text:
        if " " in text.strip():
            raise ValueError(f"{text!r} is no pattern of SPDX ids, such as CC-BY-NC-*")
        return text.strip()
    found = parse(text)
    if not isinstance(found, str):
        raise ValueError(f"{text!r} is an expression: list its licences one by one")
    return found


Listed = Annotated[str, AfterValidator(_listed)]


class LicenseConfig(BaseModel):
    """Which licences are kept. Patterns such as ``CC-BY-NC*`` stand for every id that they match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: tuple[Listed, ...] = Field((), description="SPDX ids that are kept; none: every licence that is not denied")
    deny: tuple[Listed, ...] = Field((), description="SPDX ids that are dropped, whatever is allowed")
    missing: Literal["keep", "drop"] = Field("keep", description="what becomes of a document without a licence")
    unknown: Literal["keep", "drop"] = Field("drop", description="and of one whose licence is no SPDX expression")

    def permits(self, expression: Expression) -> bool:
        """Say whether an expression can be satisfied with licences that are allowed and not denied.

        >>> LicenseConfig(deny=("CC-BY-NC*",)).permits(parse("CC-BY-NC-4.0 OR MIT"))
        True
        """
        if isinstance(expression, str):
            wanted = not self.allow or _matches(expression, self.allow)
            return wanted and not _matches(expression, self.deny)
        how, parts = expression
        return (any if how == "OR" else all)(self.permits(part) for part in parts)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    # With an exception more is permitted: whoever accepts the licence accepts it with one.
    plain = name.split(" ", 1)[0]
    return any(fnmatchcase(name.lower(), p.lower()) or fnmatchcase(plain.lower(), p.lower()) for p in patterns)


@dataclass(frozen=True)
class Judged:
    """What the licences of some documents mean for them.

    Args:
        failures: the documents that go, with rule ``license``.
        unknown: documents by licence that SPDX does not know.
        missing: documents without a licence.
    """

    failures: RuleHits
    unknown: Counter[str]
    missing: int

    @classmethod
    def nothing(cls) -> "Judged":
        """Return what no document's licences mean."""
        return cls(RuleHits("license", np.zeros(0, np.int64), []), Counter(), 0)

    def and_more(self, unknown: Counter[str], missing: int) -> "Judged":
        """Return it with what other documents' licences told."""
        return Judged(self.failures, self.unknown + unknown, self.missing + missing)

    def warnings(self, config: LicenseConfig | None) -> list[str]:
        """Say what was not decided by a licence."""
        found: list[str] = []
        if config is None:
            return found
        for text, count in sorted(self.unknown.items(), key=lambda item: (-item[1], item[0]))[:10]:
            try:
                parse(text)
            except UnknownLicenseError as error:
                kept = "kept" if config.unknown == "keep" else "dropped"
                found.append(f"{error}: {count:,} documents {kept} (select.licenses.unknown)")
        if self.missing:
            kept = "kept" if config.missing == "keep" else "dropped"
            found.append(f"{self.missing:,} documents have no licence: {kept} (select.licenses.missing)")
        return found


def judge(licenses: pa.Array, config: LicenseConfig) -> Judged:
    """Return what is dropped, and what no list decided.

    Args:
        licenses: (n,) expressions, null (or empty) where there is none.
        config: the lists.
    """
    encoded = licenses.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(len(texts)).to_numpy()
    counts = np.bincount(codes, minlength=len(texts) + 1)
    reasons: list[str | None] = []
    unknown: Counter[str] = Counter()
    missing = int(counts[-1])
    none = "no licence is given" if config.missing == "drop" else None
    for text, count in zip(texts, counts.tolist(), strict=False):
        if not text.strip():
            missing += count
            reasons.append(none)
            continue
        try:
            allowed = config.permits(parse(text))
            reasons.append(None if allowed else f"{text} is {_why(parse(text), config)}")
        except UnknownLicenseError as error:
            unknown[text] += count
            reasons.append(str(error) if config.unknown == "drop" else None)
    reasons.append(none)
    out = np.array([reason is not None for reason in reasons], bool)
    rows = np.flatnonzero(out[codes])
    evidence = [str(reasons[code]) for code in codes[rows].tolist()]
    return Judged(RuleHits("license", rows, evidence), unknown, missing)


def _why(expression: Expression, config: LicenseConfig) -> str:
    free = config.model_copy(update={"deny": ()})
    return "denied" if free.permits(expression) else f"not among those allowed ({', '.join(config.allow)})"
