"""Write the pages of docs/ that are made from the code: `python scripts/reference.py`."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import glotmix
from glotmix.cli import app
from glotmix.core import registry, warning
from glotmix.core.step import StepSpec
from glotmix.pipeline import recipe

DOCS = Path(__file__).resolve().parent.parent / "docs"


def page() -> str:
    """Return the page of keys, steps, columns and rules."""
    return "\n".join([*_head(), *_keys(), *_steps(), *_rules()]) + "\n"


def pages() -> dict[str, str]:
    """Return every page that is made from the code, by its file in docs/."""
    return {
        "reference.md": page(),
        "cli.md": _joined(_commands()),
        "api.md": _joined(_names()),
        "warnings.md": _joined(_warnings()),
    }


def _joined(lines: Iterator[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def _commands() -> Iterator[str]:
    yield from (
        "# Command line",
        "",
        "Look up a command, its arguments and its options. "
        "This page is made from the code: `python scripts/reference.py`.",
        "",
        "Results go to standard output, progress and errors to standard error. "
        "[Exit codes](reliability.md#one-kind-of-error) say how a command ended. "
        "Completion for your shell: `glotmix --install-completion`.",
        "",
    )
    yield from ("## Recipes and data sets", "")
    yield from _group(typer.main.get_command(app), "glotmix")


def _group(group: Any, name: str) -> Iterator[str]:
    for called, command in sorted(group.commands.items(), key=lambda pair: hasattr(pair[1], "commands")):
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from (f"## {name} {called}", "", command.help or "", "")
            yield from _group(command, f"{name} {called}")
        else:
            yield from _command(command, f"{name} {called}")


def _command(command: Any, name: str) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [_word(p) for p in arguments]
    yield from (f"### {name}", "", inspect.cleandoc(command.help or "").replace("\f", ""), "")
    yield from ("```text", " ".join([name, *words, "[OPTIONS]"]), "```", "")
    yield from ("| takes | what it is | default |", "|---|---|---|")
    for parameter in [*arguments, *(p for p in command.params if p not in arguments)]:
        told = getattr(parameter, "help", None) or ""
        if getattr(parameter, "hidden", False):
            continue
        names = [*parameter.opts, *parameter.secondary_opts]
        shown = _word(parameter) if parameter in arguments else ", ".join(names)
        default = parameter.default
        plain = isinstance(default, str | int | float | Path) and not isinstance(default, bool)
        yield f"| `{_cell(shown)}` | {_cell(told)} | {_cell(f'`{default}`') if plain else ''} |"
    yield ""


def _word(argument: Any) -> str:
    """Return an argument as a usage line has it: what may be left out in brackets."""
    word = argument.metavar or argument.name.upper()
    many = "..." if argument.nargs == -1 else ""
    return f"{word}{many}" if argument.required else f"[{word}{many}]"


def _warnings() -> Iterator[str]:
    yield from (
        "# Warnings",
        "",
        "Find out what a warning means and what to do, by the name in brackets at its end. "
        "This page is made from the code: `python scripts/reference.py`.",
        "",
        "A warning stops nothing. [When a warning comes](howto/warning.md) says how to tell whether it matters.",
        "",
    )
    for kind in sorted(warning.declared(), key=lambda k: k.name):
        yield from (f"## {kind.name}", "", f"*… {kind.says} …*", "", kind.meaning, "", f"**What to do:** {kind.do}", "")


def _names() -> Iterator[str]:
    yield from (
        "# Python, every name",
        "",
        "Look up a function or a result of the Python API. This page is made from the code; "
        "[Python](python.md) shows them at work.",
        "",
    )
    for room in ("", "signals", "quality", "mix"):
        module = import_module(f"glotmix.{room}") if room else glotmix
        prefix = f"glotmix.{room}" if room else "glotmix"
        yield from (f"## {prefix}", "")
        for name in sorted(n for n in module.__all__ if not inspect.ismodule(getattr(module, n))):
            found = getattr(module, name)
            yield from _object(f"{prefix}.{name}", found)


def _object(name: str, found: Any) -> Iterator[str]:
    yield from (f"### {name}", "")
    if not inspect.isclass(found):
        yield from ("```text", f"{name}{_signature(found)}", "```", "")
    yield from (_docstring(found), "")
    if inspect.isclass(found):
        for method, value in sorted(vars(found).items()):
            if not method.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                signature = "" if isinstance(value, property) else _signature(value)
                told = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
                yield f"- `.{method}{signature}`: {told}"
        yield ""


def _signature(found: Any) -> str:
    """Return a signature in words that are the same in every process: no addresses, no paths of modules."""
    text = str(inspect.signature(found)).replace("(self, ", "(").replace("(self)", "()")
    return re.sub(r" at 0x[0-9a-f]+|'|\b(?:[a-z_]+\.)+(?=[A-Z])", "", text)


def _docstring(found: Any) -> str:
    """Return a docstring as Markdown: sections of arguments as lists."""
    lines = []
    # Examples run where they stand, in the code.
    for line in (inspect.getdoc(found) or "").split(">>>")[0].rstrip().split("\n"):
        if re.fullmatch(r"[A-Z][a-z]+:", line):
            lines.append(f"**{line[:-1]}**")
            lines.append("")
        elif (item := re.fullmatch(r"    (\*{0,2}[\w, ]+): (.*)", line)) and lines and "**" in "".join(lines):
            lines.append(f"- `{item[1]}`: {item[2]}")
        else:
            lines.append(line.strip())
    return re.sub(r"``([^`]+)``", r"`\1`", "\n".join(lines))


def _head() -> list[str]:
    return [
        "# Reference",
        "",
        "Look up a key, a step, a column or a rule. This page is made from the code: `python scripts/reference.py`.",
        "",
    ]


def _keys() -> Iterator[str]:
    yield from ("## Keys of the recipe", "", "| key | takes | default | what it is |", "|---|---|---|---|")
    for name, field in _fields(recipe.model(), ""):
        default = "must be given" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        yield f"| `{name}` | {_type(field.annotation)} | {default} | {_cell(field.description or '')} |"
    yield ""


def _fields(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        below = _section(field.annotation)
        if below is None or prefix.count(".") > 2:
            yield prefix + name, field
        else:
            yield from _fields(below, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    found = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
    return found[0] if len(found) == 1 else None


def _type(annotation: Any) -> str:
    return _cell(_name(annotation))


def _name(annotation: Any) -> str:
    """Return a type in words: the same in every process, so without the addresses of validators."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if annotation is Ellipsis:
        return "…"
    if origin is Annotated:
        return _name(inner[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(_name(one) for one in inner)
    if origin is not None:
        return f"{origin.__name__} of {', '.join(_name(one) for one in inner if one is not Ellipsis)}"
    return getattr(annotation, "__name__", str(annotation))


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    return "`" + _cell("null" if value is None else repr(value) if isinstance(value, str | tuple) else str(value)) + "`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _steps() -> Iterator[str]:
    specs = [spec for spec in registry.declared("STEPS") if isinstance(spec, StepSpec)]
    yield from ("## Steps", "", "In the order of the work. A step is a folder of the output.", "")
    yield from ("| step | what it makes | versions of |", "|---|---|---|")
    for spec in sorted(specs, key=lambda s: (s.place, s.name)):
        code = (
            "what the recipe asks for"
            if callable(spec.code)
            else ", ".join(f"`{c.removeprefix('glotmix.')}`" for c in spec.code)
        )
        yield f"| `{spec.name}` | {_cell(spec.meaning)} | {code} |"
    yield from ("", "## Columns", "")
    for spec in sorted(specs, key=lambda s: (s.place, s.name)):
        if spec.columns:
            yield from (f"### `{spec.name}`", "", "| column | type | unit | what it is |", "|---|---|---|---|")
            for column in spec.columns:
                yield f"| `{column.name}` | `{column.type}` | {column.unit} | {_cell(column.meaning)} |"
            yield ""


def _rules() -> Iterator[str]:
    rules = [rule for spec in registry.declared("STEPS") if isinstance(spec, StepSpec) for rule in spec.rules]
    yield from ("## Rules", "", "In the order of the funnel: the first that a document fails drops it.", "")
    yield from ("| rule | drops a document because | settings by language |", "|---|---|---|")
    for rule in sorted(rules, key=lambda r: (r.place, r.name)):
        settings = ", ".join(f"`{s.key}`: {s.takes}" for s in rule.settings)
        yield f"| `{rule.name}` | {_cell(rule.meaning)} | {_cell(settings)} |"


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")
