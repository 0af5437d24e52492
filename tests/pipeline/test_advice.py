"""What errors advise to type exists: every command, option, setting, page and extra that a `→` can print.

The advice is read out of the code: the second argument (``fix``) of every error of glotmix, with what an f-string puts
in written as ``…``. So an advice is checked whether or not a test ever raises it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from pydantic import BaseModel

import glotmix
from glotmix.cli import app
from glotmix.core import errors
from glotmix.embed.recipe import Training
from glotmix.pipeline.recipe import model

ROOT = Path(__file__).resolve().parents[1].parent
SOURCE = Path(glotmix.__file__).parent
ERRORS = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, errors.GlotmixError)}
FILES = ("json", "jsonl", "csv", "tsv", "md", "npy", "parquet", "txt", "zst", "yaml", "py", "html", "gz", "xz", "bz2")
OTHER_PROGRAMS = {
    "lm_eval": {"--log_samples", "--output_path", "--include_path", "--tasks", "--model"},
    "convmv": {"--notest"},
}
"""Options of programs that advice names: where a log lacks something, where a file's name is not UTF-8."""


def constants(node: ast.AST) -> Iterator[str]:
    """Yield every text that an expression may be: branches one by one, inserted values as ``…``."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values)
    elif isinstance(node, ast.BinOp):
        yield "".join(next(constants(side), "…") for side in (node.left, node.right))
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from constants(value)


def advice() -> Iterator[tuple[str, str]]:
    """Yield where each advice stands and what it says."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.Module):
                continue
            named: dict[str, list[ast.AST]] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    named.setdefault(node.targets[0].id, []).append(node.value)
            for node in ast.walk(function):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS):
                    continue
                given = node.args[1:2] + [k.value for k in node.keywords if k.arg == "fix"]
                for one in given if node.func.id != "MissingExtraError" else []:
                    held = named.get(one.id, []) if isinstance(one, ast.Name) else [one]
                    for expression in held:
                        for text in constants(expression):
                            yield f"{path.relative_to(SOURCE)}:{node.lineno}", text


ADVICE = sorted(set(advice()))


def commands(group: click.Group, before: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """Return the options of every command by its words."""
    found: dict[tuple[str, ...], set[str]] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= {(*before, name): set()} | commands(command, (*before, name))
        else:
            found[*before, name] = {
                o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")
            }
    return found


COMMANDS = commands(typer.main.get_command(app))  # type: ignore[arg-type]
OPTIONS = {option for options in COMMANDS.values() for option in options} | {"--help", "--version"}


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from models(inner)


def exists(section: type[BaseModel], path: list[str]) -> bool:
    """Say whether a model has a setting; what stands below a mapping is its user's."""
    name, *rest = path
    if name not in section.model_fields:
        return False
    inner = list(models(section.model_fields[name].annotation))
    # What stands below a mapping of the user's own names is asked of the models in it.
    mapped = re.search("dict|Mapping", str(section.model_fields[name].annotation)) is not None
    return not rest or not inner or any(exists(m, rest) or (mapped and exists(m, rest[1:] or [""])) for m in inner)


RECIPE = model()


def below(of: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Return a model and all models below it."""
    seen.add(of)
    for field in of.model_fields.values():
        for inner in models(field.annotation):
            if inner not in seen:
                below(inner, seen)
    return seen


SECTIONS = below(RECIPE, set()) | below(Training, set())
NAMES = {name for section in SECTIONS for name in section.model_fields}


def wrong(text: str) -> list[str]:
    """Return what an advice names that is not there."""
    found = []
    named: list[tuple[str, ...]] = []
    for words in re.findall(r"glotmix ([a-z-]+(?: [a-z-]+)?)", text):
        parts = tuple(words.split())
        command = next((c for c in (parts, parts[:1]) if c in COMMANDS), None)
        if command is None or (len(parts) > 1 and command == parts[:1] and not COMMANDS[command]):
            found.append(f"the command glotmix {words}")
        else:
            named.append(command)
    known = set().union(*(COMMANDS[c] for c in named)) | {"--help"} if named else OPTIONS
    foreign = set().union(*(options for program, options in OTHER_PROGRAMS.items() if program in text))
    options = re.findall(r"(?<![\w-])--[a-z][\w-]*", text)
    found += [f"the option {option}" for option in options if option not in known | foreign]
    for path in re.findall(r"(?<![\w./-])([a-z_]+(?:\.[a-z_]+)+)(?![\w/(-])", text):
        parts = path.split(".")
        # From the top of a recipe, or from the section that the message has named.
        within = [RECIPE] if parts[0] in RECIPE.model_fields else SECTIONS
        if (
            path != "section.key"
            and parts[-1] not in FILES
            and parts[0] != "glotmix"
            and parts[-2:-1] != ["example"]
            and parts[0] != "example"  # a domain (RFC 2606)
            and not any(exists(s, parts) for s in within)
        ):
            found.append(f"the setting {path}")
    found += [f"the setting {key}" for key in re.findall(r"^(?:set )?([a-z_]+): \S", text) if key not in NAMES]
    found += [f"the page {page}" for page in re.findall(r"docs/\w+\.md", text) if not (ROOT / page).is_file()]
    return found


def test_the_search_finds_advice_of_every_part():
    assert len(ADVICE) > 150
    assert {where.split("/")[0] for where, _ in ADVICE} >= {
        "cli",
        "core",
        "corpus",
        "evaluate",
        "mix",
        "quality",
        "signals",
    }


WRONG = (
    "glotmix evall scores", "glotmix eval score", "glotmix run --nothing", "--identity FIELD",
    "raters.ask.tokens: more", "mix.runs.lossses=FILE", "docs/nowhere.md shows one", "quantil: 0.5",
)  # fmt: skip
RIGHT = (
    "glotmix eval scores LOGS", "glotmix run RECIPE --quiet", "--id FIELD,FIELD", "docs/evaluate.md shows one",
    "raters.ask.max_tokens: more than 16", "mix.runs.losses=FILE", "a tokenizer.json", "signals.tokens.tokenizer: PATH",
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_there_is_found(text):
    assert wrong(text)


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_there_is_not(text):
    assert not wrong(text)


@pytest.mark.parametrize(("where", "text"), ADVICE)
def test_every_advice_names_what_there_is(where, text):
    assert not wrong(text), f"{where}: {text!r}"
