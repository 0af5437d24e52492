"""An answer that is the call of a tool is no empty one; one that is truly empty is."""

import json


def check(folder, run):
    done = run(["glotmix", "instruct", "checks", "recipe.yaml", "--json"])
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr[-200:]}"
    counts = json.loads(done.stdout)["eng_Latn"]
    if counts["documents"] != 3 or counts.get("empty", 0):
        return f"{counts['documents']} conversations, {counts.get('empty', 0)} empty"
    (folder / "chat.jsonl").write_text((folder / "nothing.jsonl").read_text("utf-8"), "utf-8")
    done = run(["glotmix", "instruct", "checks", "recipe.yaml", "--json"])
    counts = json.loads(done.stdout)["eng_Latn"]
    return None if counts.get("empty") == 1 else "an answer that is truly empty is not found"
