"""A line that is not UTF-8 is named; an empty file holds no text."""


def check(folder, run):
    done = run(["glotmix", "embed", "texts", "lines.txt", "-o", "vectors.npy"])
    if done.returncode != 3 or "lines.txt:2" not in done.stderr:
        return f"exit {done.returncode}: {done.stderr[-200:]}"
    done = run(["glotmix", "embed", "texts", "empty.txt", "-o", "none.npy"])
    return None if done.returncode == 0 and done.stdout.startswith("0 texts") else f"empty: {done.stdout!r}"
