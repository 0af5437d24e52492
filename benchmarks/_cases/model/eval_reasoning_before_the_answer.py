"""Reasoning is taken away before the language of an answer and the letter that it names are looked at."""

import json


def check(folder, run):
    found = json.loads(run(["glotmix", "eval", "fidelity", "logs", "--json"]).stdout)
    for each in found["languages"]:
        if (each["faithful"]["value"], each["unidentified"], each["answers"]) != (1.0, 1, 9):
            return f"fidelity in {each['lang']}: {each['faithful']}, {each['unidentified']} without a language"
    if not any("reasoning was taken away" in warning for warning in found["warnings"]):
        return "that reasoning was taken away is not said"
    scores = json.loads(run(["glotmix", "eval", "scores", "letters", "--json"]).stdout)["tasks"][0]
    unread = {each["lang"]: each["unread"] for each in scores["languages"]}
    return None if max(unread.values()) <= 1 / 8 else f"letters that could not be read: {unread}"
