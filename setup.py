"""Builds the native loops (Cython); everything else stands in pyproject.toml."""

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

SHARED = "glotmix.native._shared"
"""What Cython would else write into each of the modules: two thirds of what is installed of them, and of the time."""

# Python's own flags ask for debug symbols: nine tenths of what is built.
FLAGS = {"extra_compile_args": ["-O3", "-g0"], "extra_link_args": ["-s"] if sys.platform == "linux" else []}

setup(
    ext_modules=cythonize(
        [
            Extension("glotmix.native.*", ["src/glotmix/native/*.pyx"], **FLAGS),
            Extension(SHARED, ["src/glotmix/native/_shared.c"], **FLAGS),
        ],
        compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True},
        shared_utility_qualified_name=SHARED,
    )
)
