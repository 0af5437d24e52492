"""Too few instructions are refused before anything is written."""


def check(folder, run):
    for name, count in (("pairs.jsonl", "3 instructions"), ("one.jsonl", "1 instructions")):
        done = run(["glotmix", "instruct", "train", name, "-o", "model", "--language", "eng_Latn"])
        if done.returncode != 3 or count not in done.stderr or "are needed" not in done.stderr:
            return f"{name}: exit {done.returncode}: {done.stderr[-200:]}"
        if (folder / "model").exists():
            return f"{name}: something was written"
    return None
