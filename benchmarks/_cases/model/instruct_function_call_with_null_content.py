"""Null content beside `function_call` is read as it is beside `tool_calls`."""

import json


def check(folder, run):
    done = run(["glotmix", "instruct", "checks", "recipe.yaml", "--json"])
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr[-200:]}"
    counts = json.loads(done.stdout)["eng_Latn"]
    return None if counts["documents"] == 2 else f"{counts['documents']} conversations are read"
