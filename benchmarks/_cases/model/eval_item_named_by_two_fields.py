"""Items that two fields name together are aligned by both."""

import json


def check(folder, run):
    first = run(["glotmix", "eval", "scores", "logs"])
    if first.returncode != 2 or "FIELD,FIELD" not in first.stderr:
        return "without --id, the way to name several fields is not told"
    for given in (["--id", "link,question_number"], ["--id", "link", "--id", "question_number"]):
        done = run(["glotmix", "eval", "scores", "logs", *given, "--json"])
        task = json.loads(done.stdout)["tasks"][0]
        if task["items"] != 10 or task["left_out"]:
            return f"{given}: {task['items']} items, left out: {task['left_out']}"
    return None
