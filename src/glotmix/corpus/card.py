"""The data set's card: a README with the front matter that the Hugging Face Hub reads."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from glotmix.core import json_text, language
from glotmix.core.plain import line, shown

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
    (10**10, "1B<n<10B"),
    (10**11, "10B<n<100B"),
    (10**12, "100B<n<1T"),
)

# fmt: off
# https://huggingface.co/docs/hub/repositories-licenses: those that data comes under, by SPDX id in small letters.
_HUB_LICENSES = {name: name for name in (
    "apache-2.0", "mit", "isc", "zlib", "wtfpl", "unlicense", "bsd-2-clause", "bsd-3-clause", "artistic-2.0", "ofl-1.1",
    "mpl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0",
    "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0",
)} | {
    "odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl",
    "gfdl-1.1": "gfdl", "gfdl-1.2": "gfdl", "gfdl-1.3": "gfdl",
}
# fmt: on


def render(
    name: str,
    languages: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    recipe: Mapping[str, Any],
    columns: Sequence[str] = (),
    formats: Sequence[str] = ("parquet",),
    method: Sequence[str] = (),
    few: str = "",
    files: Sequence[str] = (),
) -> str:
    """Return the text of ``README.md``.

    What is not known is left out of a mapping, and stands as a dash in its table.

    Args:
        name: of the data set.
        languages: one mapping per language: ``lang, read, kept, bytes`` (of kept text), ``dropped`` (documents by
            rule), ``tokens, share`` (of training tokens) and ``epochs``. A language of which nothing is kept is listed,
            and is no configuration.
        sources: one mapping per source: ``name, read, kept, license`` (SPDX id, ``{"column": NAME}`` or None),
            ``licenses`` (those of the kept documents, most first, if they are known) and ``derived_from``.
        recipe: the resolved recipe.
        columns: the columns of a document.
        formats: ``parquet`` and ``jsonl.zst``, whichever were written.
        method: what was done, one sentence each.
        few: of which languages too few documents were read to judge them; empty for none.
        files: of the data set, ``fra_Latn/train-00000-of-00012.parquet``: what loads is these, and no others that lie
            there from an earlier time.
    """
    kept = [row for row in languages if row["kept"]]
    parts = [
        "---\n"
        + yaml.safe_dump(_front(name, kept, sources, formats, files), sort_keys=False, allow_unicode=True)
        + "---",
        f"# {name}",
        _summary(kept, languages, sources),
        "## Languages",
        _languages(languages),
        few,
        _rules(languages),
        "## Sources",
        _sources(sources),
        "## Use",
        _use(kept, columns, formats),
        *(["## How it was made", "\n".join(f"- {sentence}" for sentence in method)] if method else []),
        "## Recipe",
        "The recipe, with every default filled in. `glotmix run` makes this data set from it.",
        _yaml(_plain(recipe)),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def hub_license(spdx: str | None) -> str:
    """Return the Hub's name of a licence: ``unknown`` where none was declared, ``other`` where the Hub has none.

    >>> [hub_license(x) for x in ("CC-BY-SA-4.0", "ODC-By-1.0", "GPL-3.0-or-later", "my own", None)]
    ['cc-by-sa-4.0', 'odc-by', 'gpl-3.0', 'other', 'unknown']
    """
    if spdx is None:
        return "unknown"
    return _HUB_LICENSES.get(spdx.lower().removesuffix("-only").removesuffix("-or-later"), "other")


def size_category(documents: int) -> str:
    """Return the Hub's size category.

    >>> size_category(999), size_category(1000), size_category(5 * 10**12)
    ('n<1K', '1K<n<10K', 'n>1T')
    """
    return next((name for limit, name in _SIZES if documents < limit), "n>1T")


def tag(lang: str) -> str:
    """Return the shortest ISO 639 code of a language, as the Hub wants it.

    >>> tag("fra_Latn"), tag("nob_Latn"), tag("zho_Hans"), tag("arb_Arab"), tag("kmr_Latn")
    ('fr', 'nb', 'zh', 'arb', 'kmr')
    """
    iso = language.parse(lang).iso
    if (found := language.shortest(iso)) is not None:
        return found
    # Here and not above: it loads tables of all the world's languages.
    import langcodes

    return langcodes.Language.get(iso).to_tag()


def _front(
    name: str,
    kept: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    formats: Sequence[str],
    files: Sequence[str],
) -> dict[str, Any]:
    ending = "parquet" if "parquet" in formats else formats[0]
    # Of a source that nothing is kept of, nothing is published.
    held = [source for source in sources if source.get("kept") != 0]
    licenses = sorted({hub_license(x) for source in held for x in _licenses(source)})
    codes = [row["lang"] for row in kept]
    loaded = {code: patterns(code, ending, files) for code in codes}
    front: dict[str, Any] = {
        "pretty_name": name,
        "language": sorted({tag(code) for code in codes}),
        "language_bcp47": sorted({f"{tag(c)}-{language.parse(c).script}" for c in codes}),
        "license": licenses[0] if len(licenses) == 1 else licenses,
    }
    if "other" in licenses:
        # The Hub asks for a name and a place where `other` stands.
        front |= {"license_name": "see-sources", "license_link": "README.md"}
    return front | {
        "multilinguality": "multilingual" if len(codes) > 1 else "monolingual",
        "size_categories": [size_category(sum(row["kept"] for row in kept))],
        "task_categories": ["text-generation"],
        "tags": ["glotmix"],
        "configs": [
            {
                "config_name": "default",
                "default": True,
                "data_files": [{"split": "train", "path": [path for code in codes for path in loaded[code]]}],
            },
            *({"config_name": code, "data_files": [{"split": "train", "path": loaded[code]}]} for code in codes),
        ],
    }


def patterns(code: str, ending: str, files: Iterable[str]) -> list[str]:
    """Return patterns of a language's files that match these alone: the number of all of them is part of each.

    >>> patterns("fra_Latn", "parquet", [f"fra_Latn/train-0000{n}-of-00002.parquet" for n in range(2)])
    ['fra_Latn/train-?????-of-00002.parquet']
    """
    own = [name for name in files if name.startswith(f"{code}/train-") and name.endswith(f".{ending}")]
    return list(
        dict.fromkeys(_NUMBER.sub(lambda found: f"-{'?' * len(found[1])}-of-", name) for name in sorted(own))
    ) or [f"{code}/train-*.{ending}"]


def _licenses(source: Mapping[str, Any]) -> list[str | None]:
    if isinstance(source.get("license"), Mapping):
        return list(source.get("licenses") or ["other"])
    return [source.get("license")]


def _summary(
    kept: Sequence[Mapping[str, Any]], languages: Sequence[Mapping[str, Any]], sources: Sequence[Mapping[str, Any]]
) -> str:
    documents, read = sum(r["kept"] for r in kept), sum(r["read"] for r in languages)
    size = sum(r["bytes"] for r in kept)
    return (
        f"{_count(documents)} documents ({_size(size)} of text) in {_many(len(kept), 'language')}, kept of "
        f"{_count(read)} read from {_many(len(sources), 'source')}."
    )


def _languages(languages: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for row in sorted(languages, key=lambda r: (-r["kept"], r["lang"])):
        known = language.parse(row["lang"])
        rows.append(
            [
                f"`{row['lang']}`",
                known.name,
                _count(row["read"]),
                _count(row["kept"]),
                _percent(row["kept"] / row["read"] if row["read"] else None),
                _size(row["bytes"]),
                _count(row.get("tokens")),
                _percent(row.get("share")),
                "–" if row.get("epochs") is None else f"{row['epochs']:.2f}",
            ]
        )
    # What is counted in bytes is called so.
    unit = next((row["unit"] for row in languages if row.get("unit")), "tokens")
    head = ["language", "name", "read", "kept", "of read", "text", unit, f"share of training {unit}", "epochs"]
    return _table(head, rows, left=2)


def _rules(languages: Sequence[Mapping[str, Any]]) -> str:
    totals: Counter[str] = Counter()
    for row in languages:
        totals.update(row.get("dropped") or {})
    if not totals.total():
        return ""
    # Heuristics have many rules; beside each language they stand together, below each for itself.
    # Ties by name: a set has another order in every process, and the card would have other bytes.
    families = sorted(
        {_family(rule) for rule in totals}, key=lambda f: (-sum(totals[r] for r in totals if _family(r) == f), f)
    )
    rows = []
    for row in sorted(languages, key=lambda r: (-r["kept"], r["lang"])):
        mine: Counter[str] = Counter()
        for rule, n in (row.get("dropped") or {}).items():
            mine[_family(rule)] += n
        rows.append([f"`{row['lang']}`", *(_count(mine[f]) for f in families)])
    single = [[f"`{rule}`", _count(n)] for rule, n in sorted(totals.items(), key=lambda t: (-t[1], t[0]))]
    return (
        "Dropped, by the first rule that a document failed:\n\n"
        + _table(["language", *families], rows)
        + "\n\n"
        + _table(["rule", "documents"], single)
    )


def _family(rule: str) -> str:
    return rule.split(".", maxsplit=1)[0]


def _sources(sources: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for source in sources:
        given = source.get("license")
        shown = given
        if isinstance(given, Mapping):
            held = ", ".join(_text(one) for one in source.get("licenses") or ())
            shown = f"by document, column {_code(given['column'])}" + (f": {held}" if held else "")
        elif given:
            shown = _text(given)
        rows.append(
            [
                _text(source["name"]),
                _count(source.get("read")),
                _count(source.get("kept")),
                shown or "not declared",
                ", ".join(_text(one) for one in source.get("derived_from") or ()) or "–",
            ]
        )
    return _table(["source", "read", "kept", "licence", "derived from"], rows)


def _use(kept: Sequence[Mapping[str, Any]], columns: Sequence[str], formats: Sequence[str]) -> str:
    one = kept[0]["lang"] if kept else "fra_Latn"
    fields = ", ".join(_code(c) for c in columns)
    lines = [
        f'```python\nfrom datasets import load_dataset\n\ndocuments = load_dataset("PATH", "{one}", split="train")\n```'
    ]
    if fields:
        lines.append(f"A document has the columns {fields}.")
    if len(formats) > 1:
        lines.append(f"Every file stands in {' and in '.join(f'`.{f}`' for f in formats)}.")
    return "\n\n".join(lines)


_NUMBER = re.compile(r"-(\d{5,})-of-")
_TAME = re.compile(r"[\w (),+-]|\.(?=[\d ]|$)")


def _text(value: str) -> str:
    """Return a text of somebody else's as Markdown that shows it and does nothing: as code, if it is no tame name.

    Code holds no markup, and nobody makes links of the addresses in it.

    >>> _text("CC-BY-SA-4.0"), _text("<b>"), _text("www.example.org")
    ('CC-BY-SA-4.0', '`<b>`', '`www.example.org`')
    """
    tame = "_" not in value and not _TAME.sub("", value) and line(value) == value
    return value if tame else _code(value)


def _yaml(value: Any) -> str:
    """Return data as a block of YAML that ends where it ends, whatever backquotes stand in it."""
    text = shown(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}yaml\n{text}{fence}"


def _code(value: str) -> str:
    r"""Return a text as Markdown's code, whatever backquotes and bars it holds.

    >>> _code("a`b")
    '``a`b``'
    """
    text = line(value)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{space}{text}{space}{fence}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table whose first `left` columns run from the left, the others from the right."""
    rule = ["---" if i < left else "--:" for i in range(len(head))]
    cells = [[str(c).replace("|", "\\|").replace("\n", " ") for c in row] for row in (head, rule, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _many(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _count(n: int | None) -> str:
    return "–" if n is None else f"{n:,}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"


def _size(n: int | None) -> str:
    """Return bytes for people, in powers of ten.

    >>> _size(999), _size(1_234_567), _size(None)
    ('999 B', '1.23 MB', '–')
    """
    if n is None:
        return "–"
    size, units = float(n), ["B", "kB", "MB", "GB", "TB", "PB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.3g} {units[0]}"


def _plain(recipe: Mapping[str, Any]) -> Any:
    """Return the recipe as data that YAML writes without tags."""
    return json_text.loads(json.dumps(recipe, ensure_ascii=False))
