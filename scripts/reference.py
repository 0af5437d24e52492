"""Write docs/reference.md from what the rooms declare: `python scripts/reference.py`."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glotmix.core import registry
from glotmix.core.step import StepSpec
from glotmix.pipeline import recipe

TARGET = Path(__file__).resolve().parent.parent / "docs/reference.md"


def page() -> str:
    """Return the page."""
    return "\n".join([*_head(), *_keys(), *_steps(), *_rules()]) + "\n"


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
    TARGET.write_text(page(), "utf-8")
