"""Languages asked with different numbers of examples are shown with a warning that says so."""

import json


def check(folder, run):
    found = json.loads(run(["glotmix", "eval", "scores", "logs", "--json"]).stdout)
    said = [w for w in found["warnings"] if "num_fewshot" in w]
    if len(said) != 1 or "ita_Latn" not in said[0] or "swh_Latn" not in said[0]:
        return f"warnings {found['warnings']}"
    return None if found["tasks"][0]["items"] == 10 else "the figures are not there"
