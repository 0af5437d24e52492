"""Names of encodings, as pages, servers and recipes write them."""

import codecs

_PYTHONS_OWN = {"unicode-escape", "raw-unicode-escape", "undefined", "idna", "punycode"}


def known(name: str) -> str | None:
    """Return Python's name of an encoding of text, None where it has none.

    >>> known("windows-1251"), known("ISO-8859-1"), known("x-user-defined"), known("base64")
    ('cp1251', 'iso8859-1', None, None)
    """
    try:
        found = codecs.lookup(name.strip()).name
        "a".encode(found)
    except (LookupError, ValueError):  # base64 and the like are codecs of Python too, and no text
        return None
    return None if found.replace("_", "-") in _PYTHONS_OWN else found
