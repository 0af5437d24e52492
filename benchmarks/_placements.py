"""Files of a user's in every place where a run writes, and where it does not: what must still be there afterwards."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

TEXTS = {
    "eng_Latn": "The river rose after the long rain, and the people of the village moved their boats up the bank.",
    "rus_Cyrl": "После долгих дождей река поднялась, и жители деревни перенесли свои лодки выше по берегу.",
    "ell_Grek": "Ο ποταμός ανέβηκε μετά τη μεγάλη βροχή και οι άνθρωποι του χωριού μετέφεραν τις βάρκες τους.",
    "arb_Arab": "ارتفع النهر بعد المطر الطويل ونقل أهل القرية قواربهم إلى أعلى الضفة.",
    "hin_Deva": "लंबी बारिश के बाद नदी का पानी बढ़ गया और गाँव के लोगों ने अपनी नावें ऊपर खींच लीं।",
    "tha_Thai": "หลังฝนตกหนักแม่น้ำก็เอ่อขึ้น ชาวบ้านจึงย้ายเรือขึ้นไปบนฝั่ง",
    "mya_Mymr": "မိုးရွာပြီးနောက် မြစ်ရေတက်လာ၍ ရွာသားများသည် လှေများကို ကမ်းပေါ်သို့ ရွှေ့ခဲ့ကြသည်။",
    "zho_Hans": "长时间下雨以后河水上涨,村里的人把船搬到了岸上。",
    "jpn_Jpan": "長い雨のあと川の水が増え、村の人々は舟を岸の上に移しました。",
    "amh_Ethi": "ከረጅም ዝናብ በኋላ ወንዙ ሞላ፤ የመንደሩ ሰዎችም ጀልባዎቻቸውን ወደ ላይ አንቀሳቀሱ።",
}
"""A sentence in ten scripts."""


def documents(number: int, start: int = 0) -> list[dict[str, str]]:
    """Return short documents, turn by turn in each language; equal texts do not come twice."""
    langs = list(TEXTS)
    return [
        {"id": f"d{n}", "lang": langs[n % len(langs)], "text": f"{n}. {TEXTS[langs[n % len(langs)]]} ({n})"}
        for n in range(start, start + number)
    ]


def source(path: Path, number: int = 40, start: int = 0) -> Path:
    """Write documents as JSON lines; return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(d, ensure_ascii=False) + "\n" for d in documents(number, start))
    path.write_text("".join(lines), "utf-8")
    return path


RECIPE = """\
name: trusted
output: {output}
quality: null
select: {{retain: all}}
signals: {{duplicates: {{selftest: false}}}}
corpus:
  sources:
    - {{name: web, path: {path}, language: {{column: lang}}}}
"""


def recipe(folder: Path, path: str = '"raw/*.jsonl"', output: str = "out", more: str = "") -> Path:
    """Write the recipe of a small run."""
    at = folder / "recipe.yaml"
    at.write_text(RECIPE.format(path=path, output=output) + more, "utf-8")
    return at


@dataclass(frozen=True)
class Placement:
    """Where a user's files stand.

    Args:
        name: says it.
        put: puts them below a folder that holds ``raw/`` and ``recipe.yaml``, and returns them.
        after: whether a finished run stands there before; then a changed recipe makes its outputs again.
        output, path: of the recipe.
        refused: whether the run must be refused, rather than go on and keep the files.
    """

    name: str
    put: Callable[[Path], list[Path]]
    after: bool = False
    output: str = "out"
    path: str = '"raw/*.jsonl"'
    refused: bool = True
    overrides: tuple[str, ...] = field(default=())


def _write(*names: str) -> Callable[[Path], list[Path]]:
    def put(folder: Path) -> list[Path]:
        paths = [folder / name for name in names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("mine\n", "utf-8")
        return paths

    return put


def _sources(*names: str) -> Callable[[Path], list[Path]]:
    def put(folder: Path) -> list[Path]:
        return [source(folder / name, 20, 1000 * n) for n, name in enumerate(names)]

    return put


def _linked(name: str) -> Callable[[Path], list[Path]]:
    """A step's folder that is a link to one of the user's."""

    def put(folder: Path) -> list[Path]:
        mine = _write("elsewhere/notes.txt")(folder)
        at = folder / name
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(folder / "elsewhere", target_is_directory=True)
        return mine

    return put


def _edited(name: str) -> Callable[[Path], list[Path]]:
    """A file that glotmix made and the user went on with: it must be there afterwards, wherever."""

    def put(folder: Path) -> list[Path]:
        path = folder / name
        path.write_text(path.read_text("utf-8") + "mine\n", "utf-8")
        return [path]

    return put


def _copied(name: str) -> Callable[[Path], list[Path]]:
    """Another Parquet file beside those of an output."""

    def put(folder: Path) -> list[Path]:
        found = next(p for p in sorted((folder / name).rglob("*.parquet")))
        to = found.with_name("part-99999.parquet")
        shutil.copyfile(found, to)
        return [to]

    return put


PLACEMENTS = (
    Placement("raw files in ./corpus, output: .", _sources("corpus/a.jsonl", "corpus/b.jsonl"), output=".",
              path='"corpus/*.jsonl"'),
    Placement("raw files in ./corpus of another source, output: .", _sources("corpus/a.jsonl"), output="."),
    Placement("a report/ of the user's, output: .", _write("report/chapter.md"), output="."),
    Placement("a dataset/ of the user's", _write("out/dataset/train.csv")),
    Placement("a dataset/ in a folder below", _write("out/dataset/fra/old/train.csv")),
    Placement("a ledger/ of the user's accounts", _write("out/ledger/2026.xlsx")),
    Placement("a signals/heuristics/ of the user's", _write("out/signals/heuristics/notes.txt")),
    Placement("a file where a step's folder belongs", _write("out/corpus")),
    Placement("a file where the folder of the signals belongs", _write("out/signals")),
    Placement("a file where the output belongs", _write("out")),
    Placement("a file in an unfinished folder's place", _write("out/.corpus.building/notes.txt")),
    Placement("a file in a retired folder's place", _write("out/.corpus.old/notes.txt")),
    Placement("a step's folder that is a link", _linked("out/corpus")),
    Placement("a report.html of the user's", _write("out/report.html")),
    Placement("a record.json that is no record", _write("out/corpus/record.json")),
    Placement("notes in a finished data set", _write("out/dataset/notes.txt"), after=True),
    Placement("notes deep in a finished data set", _write("out/dataset/eng_Latn/notes.txt"), after=True),
    Placement("notes in a finished corpus", _write("out/corpus/notes.txt"), after=True),
    Placement("notes in a finished report", _write("out/report/notes.txt"), after=True),
    Placement("another Parquet file in a finished corpus", _copied("out/corpus"), after=True),
    Placement("a card that was edited", _edited("out/dataset/README.md"), after=True, refused=False),
    Placement("a report that was edited", _edited("out/report.html"), after=True),
    Placement("a page of the report that was edited", _edited("out/report/report.html"), after=True, refused=False),
    Placement("files beside the steps", _write("out/notes.txt", "out/mine/a.txt", "out/signals/b.txt"), refused=False),
    Placement("files beside the steps, afterwards", _write("out/notes.txt", "out/mine/a.txt"), after=True,
              refused=False),
    Placement("hidden files beside the steps", _write("out/.git/config", "out/.env"), refused=False),
    Placement("the output within the source", _sources("raw/more.jsonl"), path="raw", output="raw/out"),
    Placement("the source is the recipe's folder", _sources("raw/more.jsonl"), path="."),
    Placement("the source reaches everything below", _sources("raw/more.jsonl"), path='"**/*.jsonl"'),
    Placement("the source within the output", _sources("out/corpus/raw.jsonl"), path='"out/corpus/*.jsonl"'),
    Placement("the source is a step's folder", _sources("out/dataset/raw.jsonl"), path="out/dataset"),
)  # fmt: skip


def _appended(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(documents(1, 999)[0], ensure_ascii=False) + "\n")


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"\n", 0, -1) + 1])


def _same_size(path: Path) -> None:
    was = path.stat()
    path.write_bytes(path.read_bytes().replace(b"village", b"VILLAGE"))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def _exchanged(path: Path) -> None:
    source(path.with_name("new"), 60, 500)
    path.with_name("new").replace(path)


CHANGES = {
    "appended": _appended,
    "cut": _cut,
    "same size and time": _same_size,
    "exchanged": _exchanged,
    "gone": lambda path: path.unlink(),
    "another came": lambda path: source(path.with_name("b.jsonl"), 5, 700),
}
"""What may become of a source between its hashing and its reading."""


def flip(path: Path, at: int | None = None) -> None:
    """Turn one bit, as a disk does: without a word to anybody."""
    was = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 4
    path.write_bytes(data)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
