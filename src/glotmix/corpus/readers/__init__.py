"""The formats of raw files, each in a module that declares a ``READER``; other packages add theirs (docs/extend.md)."""
