"""Parallel text found: documents hidden among others, corpora without translations, sentences of a handbook.

**Documents.** The 25 documents of NTREX that the embedder never saw stand in English and one more language among 600
documents of the crawl in each; `pairs.documents.p1.{lang}` is the part whose best by the margin is the right one, the
mean of both directions. `pairs.precision` and `pairs.recall` are of what the lines keep, every pair of the crawl's
counted as wrong; `pairs.null` is the part of documents that get a pair where all is crawl. `pairs.few.precision.{aim}`
and `pairs.few.recall.{aim}` are the same of ten hidden documents in English and one other language at a time.

**Sentences.** Debian's handbook, paragraph by paragraph; one in eight is left out of either side, one in ten joined to
the next, and the order is told to nobody. F1 of exact links.
"""

import html
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.align import documents, mine, packed, packing, pairs, sentences, sets, staged
from glotmix.align.config import PackSection, WriteSection
from glotmix.align.packing import Unit
from glotmix.core import language, record, table
from glotmix.core.errors import RequestError
from glotmix.core.sentences import cut
from glotmix.embed.static import shipped
from glotmix.evaluate.intervals import wilson

NAME = "align"
LANGUAGES = (
    "deu_Latn", "fra_Latn", "spa_Latn", "rus_Cyrl", "ell_Grek", "heb_Hebr", "hin_Deva", "ben_Beng", "tha_Thai",
    "mya_Mymr", "jpn_Jpan", "kor_Hang", "amh_Ethi", "zho_Hans", "tur_Latn", "vie_Latn", "swh_Latn", "fin_Latn",
    "kat_Geor", "tam_Taml", "yor_Latn", "ind_Latn", "hun_Latn", "pol_Latn",
)  # fmt: skip
CROWD = 600
FOLDER = harness.BENCH / "align"
HANDBOOK = "debian-handbook"
EDITIONS = {
    "deu_Latn": "de-DE", "fra_Latn": "fr-FR", "spa_Latn": "es-ES", "ita_Latn": "it-IT", "por_Latn": "pt-BR",
    "nob_Latn": "nb-NO", "ind_Latn": "id-ID", "pol_Latn": "pl-PL", "vie_Latn": "vi-VN", "rus_Cyrl": "ru-RU",
    "arb_Arab": "ar-MA", "jpn_Jpan": "ja-JP", "kor_Hang": "ko-KR", "zho_Hans": "zh-CN", "fas_Arab": "fa-IR",
}  # fmt: skip
SMALL = ("deu_Latn", "hin_Deva")
FEW = (
    "spa_Latn", "rus_Cyrl", "hin_Deva", "tha_Thai", "zho_Hans", "amh_Ethi", "heb_Hebr", "mya_Mymr", "ell_Grek",
    "kor_Hang", "swh_Latn", "tam_Taml",
)  # fmt: skip
HIDDEN = 10
AIMS = (0.98, 0.999)
_BLOCK = re.compile(r"<(p|h[1-6]|dt)\b[^>]*>(.*?)</\1>", re.DOTALL)


@cache
def _crawl(lang: str) -> list[str]:
    rows = pq.read_table(harness.data("crawl.parquet"), columns=["lang", "text"], filters=[("lang", "=", lang)])
    found: list[str] = rows["text"].to_pylist()
    return found[:CROWD]


@cache
def _news() -> dict[str, dict[str, list[str]]]:
    """Language → document → sentences, of the documents that the embedder never saw."""
    held = shipped().about["held_out"]["test"]["ntrex"]
    rows = pq.read_table(harness.data("ntrex.parquet"))
    rows = rows.filter(pc.is_in(rows["doc"], pa.array(held))).sort_by("i")
    versions: dict[str, dict[str, dict[str, list[str]]]] = {}
    for row in rows.to_pylist():
        try:
            code = language.parse(row["lang"].replace("_", "-")).code
        except RequestError:
            continue
        versions.setdefault(code, {}).setdefault(row["lang"], {}).setdefault(row["doc"], []).append(row["text"])
    # English, Spanish, French and Portuguese are there more than once: as such, and as of a country.
    return {code: some[min(some, key=len)] for code, some in versions.items()}


def _split(lang: str) -> list[list[str]]:
    """The news, then the crowd, cut into sentences."""
    return [*_news()[lang].values(), *(cut(text, lang, sentences.MOST) for text in _crawl(lang))]


def retrieval(small: bool) -> Iterator[Row]:
    """Yield the part of hidden documents whose best is the right one, per language."""
    model = shipped()
    english = documents.centred(documents.summed(_split("eng_Latn"), model))
    size = len(_news()["eng_Latn"])
    names = list(_news()["eng_Latn"])
    found: dict[str, float] = {}
    for lang in SMALL if small else LANGUAGES:
        order = [list(_news()[lang]).index(name) for name in names]
        split = _split(lang)
        given = documents.centred(documents.summed([*(split[i] for i in order), *split[size:]], model))
        rows, columns = documents.nearest(english, given, documents.KEPT)
        right = []
        for near, other in ((rows, columns), (columns, rows)):
            margins = near[1] - other[1][near[0]][:, :, : documents.NEIGHBOURS].mean(2) / 2
            best = near[0][np.arange(len(near[0])), margins.argmax(1)]
            right.append(best[:size] == np.arange(size))
        hits = np.concatenate(right)
        found[lang] = float(hits.mean())
        low, high = wilson(hits.sum(), len(hits))
        about = {"hidden": size, "among": CROWD, "directions": "both"}
        yield Row(NAME, f"pairs.documents.p1.{lang}", found[lang], float(low), float(high), size, "share", about)
    values = list(found.values())
    low, high = harness.interval(values)
    about = {"n": "languages", "interval": "bootstrap over languages"}
    yield Row(NAME, "pairs.documents.p1.mean", float(np.mean(values)), low, high, len(values), "share", about)
    yield Row(NAME, "pairs.documents.p1.worst", min(values), None, None, len(values), "share", about)


def _corpus(to: Path, langs: tuple[str, ...], hidden: Collection[str]) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    for lang in langs:
        news = [(f"{lang}/{doc}", "\n".join(lines)) for doc, lines in _news()[lang].items() if doc in hidden]
        rows = [*news, *((f"{lang}/crawl-{n}", text) for n, text in enumerate(_crawl(lang)))]
        order = np.random.default_rng([0, *lang.encode()]).permutation(len(rows))
        columns = {"id": [rows[i][0] for i in order], "text": [rows[i][1] for i in order]}
        table.write(
            pa.table(columns | {"lang": [lang] * len(rows), "source": ["s"] * len(rows)}), to / lang / "s.parquet"
        )
    return to


def _mined(corpus: Path, to: Path, anchors: tuple[str, ...] = ("eng_Latn",), precision: float = 0.98) -> record.Record:
    shutil.rmtree(to, ignore_errors=True)

    def make(output: record.Output) -> record.Counts:
        found = mine.make(output, corpus, None, shipped(), staged.Mining(precision, anchors))
        return pairs.write(output, sets.mined(found, {}), None, None)

    return record.build(to, record.Identity("align/pairs", pairs.VERSION), make, may_be_empty=True)


def lines(small: bool) -> Iterator[Row]:
    """Yield precision and recall of the documents that are kept, and what is kept where nothing is a translation."""
    langs = ("eng_Latn", *(SMALL if small else LANGUAGES))
    made = _mined(_corpus(FOLDER / "hidden", langs, _news()["eng_Latn"]), FOLDER / "pairs")
    kept, right = _judged()
    wanted = len(_news()["eng_Latn"]) * (len(langs) - 1)
    about = {"languages": len(langs) - 1, "mined": made.notes["mined"], "aim": 0.98, "with": "eng_Latn"}
    for metric, part, whole in (("precision", len(right), len(kept)), ("recall", len(right), wanted)):
        low, high = wilson(part, whole) if whole else (None, None)
        yield Row(NAME, f"pairs.{metric}", part / whole if whole else None, low, high, whole, "share", about)
    made = _mined(_corpus(FOLDER / "apart", langs, ()), FOLDER / "none")
    told = made.notes["mined"]
    size = CROWD * (len(langs) - 1)
    low, high = wilson(told["pairs"], size)
    about = {"n": "documents beside English", "pairs": told["pairs"], "candidates": told["candidates"]}
    yield Row(NAME, "pairs.null", told["pairs"] / size, float(low), float(high), size, "share", about)


def _judged() -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Return the pairs of documents that were kept, and those of them that are right."""
    found = table.read(sorted((FOLDER / "pairs").glob("part-*.parquet")), ["document"])
    kept = {tuple(name.split("|")) for name in found["document"].to_pylist()}
    right = {pair for pair in kept if len({side.partition("/")[2] for side in pair}) == 1 and "/crawl-" not in pair[0]}
    return kept, right


def few(small: bool) -> Iterator[Row]:
    """Yield precision and recall where one other language stands beside English, and ten documents are translations."""
    langs = FEW[:2] if small else FEW
    sums = {aim: np.zeros(2, int) for aim in AIMS}
    names = sorted(_news()["eng_Latn"])
    for number, lang in enumerate(langs):
        chosen = {names[(2 * number + n) % len(names)] for n in range(HIDDEN)}
        corpus = _corpus(FOLDER / "few", ("eng_Latn", lang), chosen)
        for aim in AIMS:
            _mined(corpus, FOLDER / "pairs", precision=aim)
            sums[aim] += [len(some) for some in _judged()]
    for aim, (kept, right) in sums.items():
        about = {"languages": len(langs), "hidden": HIDDEN, "among": CROWD, "aim": aim}
        for metric, whole in (("precision", int(kept)), ("recall", HIDDEN * len(langs))):
            low, high = wilson(right, whole)
            name = f"pairs.few.{metric}.{aim:g}"
            yield Row(NAME, name, int(right) / whole, float(low), float(high), whole, "share", about)


@cache
def _handbook() -> Path:
    """Return the folder of the handbook's editions, fetched from Debian."""
    to = FOLDER / HANDBOOK
    pages = to / "usr/share/doc" / HANDBOOK / "html"
    if not pages.is_dir():
        to.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["apt-get", "download", "-q", HANDBOOK], cwd=to, capture_output=True, text=True, check=False
        )
        files = sorted(to.glob("*.deb"))
        if not files:
            raise harness.BenchmarkError(f"{HANDBOOK} cannot be fetched from Debian: {done.stderr[-300:]}")
        subprocess.run(["dpkg-deb", "-x", files[0], to], check=True)
    return pages


def _blocks(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    found = (re.sub(r"<[^>]+>", "", inner) for _, inner in _BLOCK.findall(text[text.find("<body") :]))
    return [re.sub(r"\s+", " ", html.unescape(one)).strip() for one in found]


def _pages(lang: str) -> list[tuple[list[str], list[str]]]:
    """Return English and translated paragraphs of each page, those that are not translated left out."""
    found = []
    for path in sorted((_handbook() / "en-US").glob("*.html")):
        other = _handbook() / EDITIONS[lang] / path.name
        if not other.is_file():
            continue
        one, two = _blocks(path), _blocks(other)
        if len(one) != len(two):
            continue
        both = [(a, b) for a, b in zip(one, two, strict=True) if a != b and len(a) > 20 and len(b) > 8]
        if len(both) >= 6:
            found.append(([a for a, _ in both], [b for _, b in both]))
    return found


def _hidden(size: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return paragraphs by number: some left out, some joined to the next."""
    made: list[tuple[int, ...]] = []
    for n in range(size):
        if rng.random() < 1 / 8:
            continue
        if made and len(made[-1]) == 1 and rng.random() < 1 / 10:
            made[-1] = (*made[-1], n)
        else:
            made.append((n,))
    return made


def _gold(one: list[tuple[int, ...]], other: list[tuple[int, ...]]) -> set[tuple[int, int, int, int]]:
    """Return the blocks that belong together: first and last and one, of both."""
    found: list[tuple[set[int], set[int]]] = []
    for i, numbers in enumerate(one):
        mine_, theirs = {i}, {j for j, there in enumerate(other) if set(numbers) & set(there)}
        if not theirs:
            continue
        for group in [g for g in found if g[1] & theirs]:
            found.remove(group)
            mine_, theirs = mine_ | group[0], theirs | group[1]
        found.append((mine_, theirs))
    return {(min(a), max(a) + 1, min(b), max(b) + 1) for a, b in found}


def aligned(small: bool) -> Iterator[Row]:
    """Yield F1 of links in Debian's handbook, per language, same script as English and others."""
    model = shipped()
    by_script: dict[str, list[float]] = {"same": [], "other": []}
    for lang in ("deu_Latn", "jpn_Jpan") if small else EDITIONS:
        pages = _pages(lang)[: 10 if small else 60]
        rng = np.random.default_rng(0)
        counts = []
        for one, other in pages:
            a, b = _hidden(len(one), rng), _hidden(len(other), rng)
            x, y = sentences.of(
                [[" ".join(one[n] for n in some) for some in a], [" ".join(other[n] for n in some) for some in b]],
                model,
            )
            far = [q for q in pages if q[0] is not one]
            drawn = tuple(
                model.embed([t for q in far for t in q[side]][:: max(1, sum(len(q[0]) for q in far) // mine.DRAWN)])
                for side in (0, 1)
            )
            links = {(*k.one, *k.other) for k in sentences.align(x, y, drawn)}
            gold = _gold(a, b)
            counts.append((len(links & gold), len(links), len(gold)))
        right, said, there = np.array(counts).sum(0)
        value = 2 * right / (said + there)
        drawn_ = np.random.default_rng(0).integers(0, len(counts), (1_000, len(counts)))
        totals = np.array(counts)[drawn_].sum(1)
        low, high = np.quantile(2 * totals[:, 0] / (totals[:, 1] + totals[:, 2]), (0.025, 0.975))
        by_script["same" if lang.endswith("Latn") else "other"].append(float(value))
        about = {"pages": len(pages), "precision": round(right / said, 4), "recall": round(right / there, 4)}
        about |= {"interval": "bootstrap over pages"}
        yield Row(NAME, f"pairs.sentences.f1.{lang}", float(value), float(low), float(high), int(there), "F1", about)
    for script, values in by_script.items():
        ends = harness.interval(values) if len(values) > 1 else (None, None)
        value = float(np.mean(values)) if values else None
        yield Row(NAME, f"pairs.sentences.f1.{script}_script", value, *ends, len(values), "F1", {"n": "languages"})
    why = "vecalign is in no package registry (pip: no matching distribution), and no repository could be reached"
    yield Row(NAME, "pairs.sentences.f1.vecalign", None, settings={"why": why})


def writers(small: bool) -> Iterator[Row]:
    """Yield the part of samples that every form of files holds alike, read by readers of the benchmark's own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    langs = ["eng_Latn", *LANGUAGES[: 3 if small else 12]]
    texts = {lang: [s for doc in _news()[lang].values() for s in doc] for lang in langs}
    size = min(map(len, texts.values()))
    units = [
        Unit(str(n), {lang: texts[lang][n] for lang in [*langs[:2], langs[2 + n % (len(langs) - 2)]]})
        for n in range(size)
    ]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4_000, special_tokens=["</s>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator((t for some in texts.values() for t in some), trainer)
    path = FOLDER / "writers" / "tokenizer.json"
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)
    made.save(str(path))
    good = total = 0
    for kind in ("format", "mapping", "unpaired", "shuffled", "documents"):
        given = packed.samples(PackSection(kind=kind, pairs=5), units)
        masked = packing.pairing(kind).masks
        section = WriteSection(tokenizer=str(path), formats=("datatrove", "parquet", "numpy"))
        out = path.parent / kind
        identity = record.Identity("align/tokens", 1)
        record.build(out, identity, lambda o: packed.tokenise(o, given, section, str(path), masked))  # noqa: B023
        flat, ends = (
            np.fromfile(out / "train-00000.ds", np.uint16),
            np.fromfile(out / "train-00000.ds.index", np.uint64),
        )
        loss = np.fromfile(out / "train-00000.ds.loss", np.uint8) if masked else np.ones(len(flat), np.uint8)
        rows = pq.read_table(out / "train-00000.parquet").to_pylist()
        plain = np.load(out / "train-00000.npy")
        start = 0
        for sample, row, end in zip(given, rows, ends.astype(int).tolist(), strict=True):
            ids = flat[start:end].tolist()
            bears = loss[start:end]
            labels = row.get("labels", row["input_ids"])
            learned = "".join(p.text for p in sample.pieces if p.loss)
            good += (
                ids == row["input_ids"] == plain[start:end].tolist() == [*made.encode(sample.text).ids, 0]
                and [int(x >= 0) for x in labels] == bears.tolist()
                and made.decode([i for i, x in zip(ids, bears, strict=True) if x]) == learned
            )
            total += 1
            start = end
    low, high = wilson(good, total)
    about = {"kinds": 5, "languages": len(langs), "what": "tokens, masks, and the text that bears loss"}
    yield Row(NAME, "writers.equal", good / total, float(low), float(high), total, "share", about)


PARTS = {
    "pairs.retrieval": retrieval,
    "pairs.lines": lines,
    "pairs.few": few,
    "pairs.sentences": aligned,
    "writers": writers,
}
