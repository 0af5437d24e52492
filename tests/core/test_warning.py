"""Every kind of warning has one name, and words that its room really says."""

import re
from pathlib import Path

import pytest

import glotmix
from glotmix.core import warning

ROOT = Path(__file__).parents[2]
SOURCE = Path(glotmix.__file__).parent
KINDS = warning.declared()
TEXT = {
    path: re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
    for path in sorted(SOURCE.rglob("*.py"))
    if path.name != "warned.py"
}


def test_names_are_unique_and_no_sentence_has_two():
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names)) >= 30
    assert all(re.fullmatch(r"[a-z][a-z-]+", name) for name in names)
    for kind in KINDS:
        assert [other.name for other in KINDS if other.says in kind.says] == [kind.name]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_the_words_are_said_somewhere(kind):
    said = [path for path, text in TEXT.items() if kind.says in text]
    assert said, f"no module says {kind.says!r}: the sentence was changed, and WARNINGS was not"


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_the_page_explains_it(kind):
    page = (ROOT / "docs" / "warnings.md").read_text("utf-8")
    assert f"## {kind.name}\n" in page and kind.do in page


def test_a_warning_is_shown_with_its_name():
    assert warning.named("fra_Latn: no document is kept of 3").endswith("[nothing-kept]")
    assert warning.line("fra_Latn: no document is kept of 3").startswith("warning: fra_Latn")
    assert warning.named("what a plugin says") == "what a plugin says"
