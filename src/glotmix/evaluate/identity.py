"""What names an item in every language: one field of its document, or several together."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core.errors import RequestError, did_you_mean

IDS = ("id", "_id", "idx", "item_id", "question_id", "sample_id", "qid", "uid", "key")
_BETWEEN = " | "


def fields(
    where: str, document: Mapping[str, Any], wanted: str | Sequence[str] | None, position: str
) -> tuple[str, ...]:
    """Return the fields that name an item.

    Args:
        where: names the file in an error.
        document: a document, or whatever has its fields as keys.
        wanted: by the user: a field, or several, with commas between them or as several; None for the first of `IDS`
            that is there.
        position: the name of the item's position in the data set, which is no id unless it is asked for.

    Raises:
        RequestError: if a field is not there.
    """
    if wanted is None:
        for name in IDS:
            if name in document:
                return (name,)
        raise RequestError(
            f"{where}: the documents have no id; they have {', '.join(sorted(document))}",
            f"--id FIELD; --id FIELD,FIELD where several name an item together; or --id {position} if the data sets of "
            "all languages are in one order",
        )
    named = split(wanted, document)
    for name in named:
        if name not in document and name != position:
            near = did_you_mean(name, document)
            raise RequestError(
                f"{where}: the documents have no field {name!r}{near}; they have {', '.join(sorted(document))}",
                f"--id FIELD,FIELD where several name an item together, or --id {position} for the position",
            )
    if position in named and len(named) > 1 and position not in document:
        raise RequestError(f"{where}: {position} is the position of an item, which names it alone", f"--id {position}")
    return named


def split(wanted: str | Sequence[str], there: Mapping[str, Any] | Sequence[str]) -> tuple[str, ...]:
    """Return the fields that were named, with commas between them or one by one; a name may itself hold a comma.

    >>> split("link,number", ["link", "number"]), split(["link", "number"], []), split("a,b", ["a,b"])
    (('link', 'number'), ('link', 'number'), ('a,b',))
    """
    given = [wanted] if isinstance(wanted, str) else list(wanted)
    found = []
    for each in given:
        found += [each] if each in there else [part.strip() for part in each.split(",") if part.strip()]
    return tuple(dict.fromkeys(found))


def joined(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    """Return one text an item; null where a field is. Different fields never become one text."""
    parts = [(c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c).cast(pa.string()) for c in columns]
    if len(parts) == 1:
        return parts[0]
    clean = [pc.replace_substring(pc.replace_substring(p, "\\", "\\\\"), "|", "\\|") for p in parts]
    return pc.binary_join_element_wise(*clean, _BETWEEN, null_handling="emit_null")
