"""Pairs of two files are read by the names of each."""

import json


def check(folder, run):
    done = run(["glotmix", "instruct", "train", "coach.jsonl", "preferences.jsonl", "-o", "model", "--json"])
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr[-200:]}"
    told = json.loads(done.stdout)
    if told["counts"] != {"pairs": 80, "languages": 2}:
        return f"counts {told['counts']}"
    german = told["audit"]["zero_shot"]["deu_Latn"]["pairs"] // len(told["audit"]["seeds"])
    return None if german == 40 else f"{german} German pairs"
