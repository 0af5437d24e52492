"""Loops over characters, in Cython, without the GIL: the only compiled code of the project."""
