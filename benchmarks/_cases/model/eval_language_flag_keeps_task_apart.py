"""A language given by hand joins its task to the others, as the advice says."""

import json


def check(folder, run):
    done = run(["glotmix", "eval", "scores", "logs", "--language", "xwinograd_jp=jpn_Jpan", "--json"])
    tasks = json.loads(done.stdout)["tasks"]
    if [task["task"] for task in tasks] != ["xwinograd"]:
        return f"tasks {[task['task'] for task in tasks]}"
    langs = [each["lang"] for each in tasks[0]["languages"]]
    if langs != ["eng_Latn", "fra_Latn", "jpn_Jpan"] or len(tasks[0]["pairs"]) != 3:
        return f"languages {langs}, {len(tasks[0]['pairs'])} pairs"
    return None
