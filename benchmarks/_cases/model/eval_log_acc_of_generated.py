"""What the log judges by `acc` is the accuracy of generated answers."""

import json


def check(folder, run):
    task = json.loads(run(["glotmix", "eval", "scores", "logs", "--json"]).stdout)["tasks"][0]
    found = {each["lang"]: each["accuracy"]["value"] for each in task["languages"]}
    return None if found == {"arb_Arab": 1.0, "deu_Latn": 1.0} else f"accuracies {found}"
