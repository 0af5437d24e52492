"""A recipe is read without the numerics."""

import subprocess
import sys


def test_reading_a_recipe_imports_no_numerics():
    code = (
        "import sys, glotmix.pipeline.recipe; "
        "print([m for m in ('scipy', 'sklearn', 'lightgbm', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
