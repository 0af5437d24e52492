"""What is said of languages of few documents: too few to judge, to train on, or to believe the identifier."""

from collections.abc import Collection, Mapping, Sequence

from glotmix.report import findings
from glotmix.report.findings import Finding
from glotmix.report.sources import Cell
from glotmix.select import enough


def scarce(cells: Sequence[Cell], guessed: Collection[str], total: int) -> list[Finding]:
    """Return what is said of languages of few documents.

    Args:
        cells: the table language × source.
        guessed: the sources whose languages the identifier told.
        total: bytes of the corpus.
    """
    strays = _strays(cells, guessed)
    return _few([cell for cell in cells if cell.lang not in strays], total) + _stray(strays, cells, total)


def unknown(told: Sequence[tuple[str, str, float]]) -> list[Finding]:
    """Return what is said of languages that the identifier does not know.

    Args:
        told: of each its code, what its documents read as, and its share of the corpus.
    """
    if not told:
        return []
    (lang, others, _), *more = told
    of = f"{lang}; its documents read as {others}"
    if more:
        of = findings.listed([f"{lang} (reads as {others})" for lang, others, _ in told])
    text = f"not measured: the identifier does not know {of}"
    do = "signals.identify.model=PATH of a fastText model"
    return [Finding("unknown", tuple(one[0] for one in told), text, do, sum(one[2] for one in told))]


def _strays(cells: Sequence[Cell], guessed: Collection[str]) -> dict[str, int]:
    """Return the languages of few documents that no source declares, with how many the identifier found of each."""
    langs = {cell.lang for cell in cells} - {cell.lang for cell in cells if cell.source not in guessed}
    read = {lang: sum(cell.read for cell in cells if cell.lang == lang) for lang in sorted(langs)}
    kept = {cell.lang for cell in cells if cell.kept}
    return {lang: n for lang, n in read.items() if n < enough.ENOUGH and lang in kept}


def _stray(strays: Mapping[str, int], cells: Sequence[Cell], total: int) -> list[Finding]:
    """Return what is said of them: where a common language is misread, it is as a rare one (arXiv 2010.14571)."""
    if not strays:
        return []
    told = findings.listed([f"{lang} ({n})" for lang, n in strays.items()])
    which = "it" if len(strays) == 1 else "these"
    text = (
        f"the identifier found few documents of {told}, and no source declares {which}: so few may be misread ones of "
        "another language"
    )
    do = f"read them; mix.ceilings={{{next(iter(strays))}: 0}} trains on none"
    return [Finding("stray", tuple(strays), text, do, sum(c.bytes for c in cells if c.lang in strays) / total)]


def _few(cells: Sequence[Cell], total: int) -> list[Finding]:
    """Return which languages have too few documents to judge, and of which others few are kept."""
    rows = {lang: [cell for cell in cells if cell.lang == lang] for lang in sorted({cell.lang for cell in cells})}
    read = {lang: sum(cell.read for cell in own) for lang, own in rows.items()}
    kept = {lang: sum(cell.kept for cell in own) for lang, own in rows.items()}
    few = {lang: n for lang, n in read.items() if n < enough.ENOUGH and kept[lang]}
    thin = {lang: n for lang, n in kept.items() if 0 < n < enough.ENOUGH <= read[lang]}
    found = []
    for what, counts in (
        (f"too few documents to judge (fewer than {enough.ENOUGH})", few),
        (f"fewer than {enough.ENOUGH} documents are kept, little to train on", thin),
    ):
        if counts:
            told = ", ".join(f"{lang} {n}" for lang, n in list(counts.items())[:6])
            more = f" and {len(counts) - 6} more" if len(counts) > 6 else ""
            share = sum(cell.bytes for lang in counts for cell in rows[lang]) / total
            do = "add sources, or fewer epochs (mix.max_epochs)"
            found.append(Finding("few", tuple(counts), f"{what}: {told}{more}", do, share))
    return found
