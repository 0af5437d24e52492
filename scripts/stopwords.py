"""Write src/glotmix/data/stopwords.tsv: the words that most documents of a language share.

    python scripts/stopwords.py CRAWL.parquet NTREX.parquet

CRAWL.parquet holds web documents (columns ``lang``, ``text``; the list that ships was made from the samples of HPLT v2
in github.com/hplt-project/release2_inspection: 600 excerpts of about 940 characters in each of 186 languages). A word
of a language is on its list if at least a fifth of its documents hold it: so neither one site's boilerplate nor one
topic's words get there, as they do in lists by share of running words. At most 20 words, the most widespread first.
Where NTREX-128 (news, translated; the second file) has the language, it must hold the word three times: in some
languages a fifth of the crawl is one site. Words that mix scripts are left out, and lists of fewer than five words.
"""

import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet as pq

from glotmix.core.language import Language, parse
from glotmix.native.codepoints import codepoints

TABLE = Path(__file__).parents[1] / "src/glotmix/data/stopwords.tsv"
SHARE, MOST, LEAST, DOCUMENTS, SEEN = 0.2, 20, 5, 100, 3
UNSPACED_BUT_LISTED = {"Hani", "Hans", "Hant", "Jpan"}
"""Their units are characters, and the most widespread of these are function words and particles (的, 是, の, は)."""
HEAD = """\
# Written by scripts/stopwords.py from the document frequencies of words in samples of HPLT v2
# (github.com/hplt-project/release2_inspection). Counts only: no text of the samples is here.
# language\twords of at least a fifth of its documents, lower case, the most widespread first
"""


def words(text: str, single: bool) -> set[str]:
    """Return the runs of letters and marks of a text in lower case, or each letter, where `single`."""
    found, run = set(), ""
    for character in text + " ":
        category = unicodedata.category(character)[0]
        if (category == "L" and not (single and run)) or (category == "M" and run):
            run += character
        elif category == "L":
            found.add(run)
            run = character
        elif character in "'’" and run and not single:
            run += character
        else:
            found.add(run.rstrip("'’"))
            run = ""
    return {word.lower() for word in found if word}


def texts_of(file: Path) -> dict[Language, list[str]]:
    """Return the texts of a Parquet file by language."""
    found: defaultdict[Language, list[str]] = defaultdict(list)
    table = pq.read_table(file, columns=["lang", "text"])
    for lang, text in zip(table["lang"].to_pylist(), table["text"].to_pylist(), strict=True):
        found[parse(lang)].append(text)
    return found


def held_by(texts: list[str], language: Language) -> Counter[str]:
    """Return how many of the texts hold each word."""
    held: Counter[str] = Counter()
    for text in texts:
        held.update(words(text, not language.spaced))
    return held


def one_script(word: str) -> bool:
    """Say whether all letters of a word are of one script."""
    _, scripts, names = codepoints()
    return len({names[scripts[ord(c)]] for c in word} - {"Zyyy", "Zinh"}) == 1


def main(crawl: Path, news: Path) -> None:
    """Write the table."""
    elsewhere = texts_of(news)
    rows = {}
    for language, texts in texts_of(crawl).items():
        if len(texts) < DOCUMENTS or not (language.spaced or language.script in UNSPACED_BUT_LISTED):
            continue
        held, known = held_by(texts, language), held_by(elsewhere.get(language, []), language)
        wide = [
            (-n, word)
            for word, n in held.items()
            if n >= SHARE * len(texts) and one_script(word) and (not known or known[word] >= SEEN)
        ]
        if len(wide) >= LEAST:
            rows[language.code] = " ".join(word for _, word in sorted(wide)[:MOST])
    lines = [f"{code}\t{rows[code]}" for code in sorted(rows)]
    TABLE.write_text(HEAD + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
