"""Files and settings, damaged at random: whatever they hold, the end is an answer or an error of glotmix's own."""

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from glotmix.core.errors import GlotmixError

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**63, 10**40, 1e308, -1e-300, float("inf"), float("nan"), "", " ", "x", "fra_Latn", "eng",
    "zzz_Zzzz", "\x1b[2J", "\u202e", "a\x00b", "~", "~nobody/x", "../..", "/", "*" * 50, "a" * 5000, "1e9", "١٢",
    [], {}, [[]], [None], {"a": None}, {"": {}}, ["x", 1, None], [1, "x"], {"column": None}, {"quantile": 2},
)  # fmt: skip
"""Values that stand where others belong."""

TOKENS = (b"null", b"[", b"]", b"{", b"}", b'"', b",", b":", b"\n", b"\x00", b"\xff\xfe", b"NaN", b"-", b"1e999",
          b"9" * 5000, b"[" * 3000, b"&a", b"*a", b"2024-13-45", b"!!set", b"\\ud800", b"\xed\xa0\x80",
          b".inf")  # fmt: skip


def bytes_damaged(held: bytes, chance: random.Random) -> bytes:
    """Flip a bit, cut, leave out, double, or put in something odd, once or twice."""
    data = bytearray(held)
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 2, 8, 64, 512)))
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end]
            case 4:
                data[at:end] = bytes(end - at)
            case _:
                data[at:at] = chance.choice(TOKENS)
    return bytes(data)


def value_damaged(held: Any, chance: random.Random) -> Any:
    """Exchange, leave out or add a value at a random place of plain data."""
    whole = copy.deepcopy(held)
    places = [(None, None), *_places(whole)]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        parent, key = chance.choice(places)
        odd = copy.deepcopy(chance.choice(ODD))
        if parent is None:
            if chance.random() < 0.02:
                return odd
            continue
        match chance.randrange(6):
            case 0 if isinstance(parent, dict):
                parent.pop(key, None)
            case 1 if isinstance(parent, list) and parent:
                parent.append(copy.deepcopy(chance.choice(parent)))
            case 2 if isinstance(parent, dict):
                parent[chance.choice(("x", "", "name", str(key) + "s"))] = odd
            case _:
                if isinstance(parent, dict) or key < len(parent):
                    parent[key] = odd
    return whole


def _places(at: Any) -> Iterator[tuple[Any, Any]]:
    pairs = at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ()
    for key, value in pairs:
        yield at, key
        yield from _places(value)


@dataclass(frozen=True)
class Target:
    """Something that reads what a user gives.

    Args:
        name: says it.
        files: what is whole, by name.
        read: reads them from a folder.
        data: of which files the content is plain data too: ``json``, ``jsonl`` or ``yaml`` by name.
        beside: files that stay whole.
    """

    name: str
    files: dict[str, bytes]
    read: Callable[[Path], object]
    data: dict[str, str]
    beside: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Found:
    """What came of one target: how many tries, how many errors of glotmix's own, and every other by its kind."""

    tries: int = 0
    refused: int = 0
    foreign: dict[str, int] | None = None

    def note(self, error: BaseException) -> None:
        where = error.__traceback__
        last = ""
        while where is not None:
            name = where.tb_frame.f_code.co_filename
            if "glotmix" in name and "_fuzz" not in name:
                last = f"{Path(name).name}:{where.tb_lineno}"
            where = where.tb_next
        self.foreign = self.foreign or {}
        kind = f"{type(error).__name__} at {last}: {str(error)[:100]!r}"
        self.foreign[kind] = self.foreign.get(kind, 0) + 1


def run(target: Target, folder: Path, tries: int, seed: int = 0) -> Found:
    """Damage the files of a target so many times, and read them."""
    chance = random.Random(f"{target.name} {seed}")
    found = Found()
    for _ in range(tries):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        hit = chance.choice(sorted(target.files))
        for name, held in (target.files | target.beside).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(damaged(held, target.data.get(name), chance) if name == hit else held)
        found.tries += 1
        try:
            target.read(folder)
        except GlotmixError as error:
            found.refused += 1
            str(error).encode(errors="surrogatepass")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # What is counted; a panic of a library in Rust is no Exception.
            found.note(error)
    return found


def damaged(held: bytes, kind: str | None, chance: random.Random) -> bytes:
    """Damage a file: its bytes, or the values that it holds."""
    if kind is None or chance.random() < 0.4:
        return bytes_damaged(held, chance)
    if kind == "jsonl":
        lines = held.splitlines()
        at = chance.randrange(len(lines))
        lines[at] = _dumped(value_damaged(json.loads(lines[at]), chance))
        return b"\n".join(lines)
    if kind == "yaml":
        text = yaml.safe_dump(value_damaged(yaml.safe_load(held), chance), allow_unicode=True)
        return text.encode(errors="surrogatepass")
    return _dumped(value_damaged(json.loads(held), chance))


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
