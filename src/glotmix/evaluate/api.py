"""What a model answers, one call each: `glotmix.evaluate.score`, `compare`, `fidelity`, `tokenizer`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glotmix.core import language
from glotmix.core.tabular import as_table
from glotmix.evaluate import comparison, language_fidelity, pieces, reading, texts
from glotmix.evaluate import scores as scoring
from glotmix.evaluate import tokenizers as audits
from glotmix.evaluate.answers import Answers, Score
from glotmix.evaluate.comparison import Comparison
from glotmix.evaluate.intervals import DRAWS
from glotmix.evaluate.language_fidelity import Fidelity
from glotmix.evaluate.scores import Scores
from glotmix.evaluate.tokenizers import Audit
from glotmix.signals import language_id

__all__ = ["Audit", "Comparison", "Fidelity", "Scores", "compare", "fidelity", "score", "tokenizer"]

Logs = str | Path | Sequence[str | Path]
"""A folder of lm-eval or lighteval, a plain table's path, or several of one kind."""


def score(
    logs: Logs,
    pivot: str | None = None,
    by: Score = "raw",
    only: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    **reading_: Any,
) -> Scores:
    """Score one model: accuracy, consistency between languages, and which items flip: `glotmix eval scores`.

    Args:
        logs: see `Logs`.
        pivot: the language that each other one is compared with.
        by: how a choice is made from log-likelihoods: as they are, by character, or by byte.
        only: languages to look at; all by default.
        draws: of the bootstrap over items.
        seed: of the draws.
        reading_: ``id``, ``languages``, ``filter``, ``metric`` of the log; ``columns`` of a plain table.

    Raises:
        RequestError: if there is no log, or a language is not in it.
        DataError: if an item comes twice or none is in all languages.
    """
    return scoring.score(_read(logs, reading_), _code(pivot), by, _codes(only), draws=draws, seed=seed)


def compare(
    first: Logs,
    second: Logs,
    pivot: str | None = None,
    by: Score = "raw",
    only: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    **reading_: Any,
) -> Comparison:
    """Compare two models on the same items, by a paired bootstrap: `glotmix eval compare`.

    Args:
        first: one model's logs.
        second: the other's.
        pivot, by, only, draws, seed, reading_: see `score`.

    Raises:
        RequestError, DataError: see `score`.
    """
    one, two = (_read(logs, dict(reading_)) for logs in (first, second))
    return comparison.compare(one, two, by, _codes(only), _code(pivot), draws, seed)


def fidelity(logs: Logs, only: Sequence[str] | None = None, model: str = "py3langid", **reading_: Any) -> Fidelity:
    """Say whether answers are in the language of their questions: `glotmix eval fidelity`.

    Args:
        logs: see `Logs`; of generated answers.
        only: languages of questions to look at; all by default.
        model: the identifier: py3langid, or the path of a fastText model.
        reading_: see `score`.

    Raises:
        RequestError, DataError: see `score`; and where nothing was generated.
    """
    return language_fidelity.fidelity(_read(logs, reading_), lambda said: language_id.label(said, model), _codes(only))


def tokenizer(
    path: str | Path, parallel: Any, reference: str, key: str = "id", draws: int = DRAWS, seed: int = 0
) -> Audit:
    """Say what each language pays under a tokenizer, against a reference on parallel text: `glotmix eval tokenizers`.

    Args:
        path: a ``tokenizer.json``, or the folder that holds one.
        parallel: a table of ``lang``, ``text`` and the key that parallel texts share: in memory, or a file's path.
        reference: the language that others are compared with.
        key: the column that parallel texts share.
        draws: of the bootstrap over sentences.
        seed: of the draws.

    Raises:
        RequestError: if a column or the reference is missing.
        DataError: if a key comes twice in a language, or a language has no text.
    """
    where = isinstance(parallel, str | Path)
    found = texts.read(Path(parallel), key) if where else texts.of_table(as_table(parallel, "the texts"), key)
    return audits.audit(pieces.load(Path(path)), found, _code(reference) or reference, draws, seed)


def _read(logs: Logs, named: dict[str, Any]) -> Answers:
    columns: Mapping[str, str] | None = named.pop("columns", None)
    paths = [logs] if isinstance(logs, str | Path) else logs
    return reading.read([Path(path) for path in paths], reading.Ask(**named), columns)


def _code(given: str | None) -> str | None:
    return None if given is None else language.parse(given).code


def _codes(given: Sequence[str] | None) -> list[str] | None:
    return None if given is None else [language.parse(code).code for code in given]
