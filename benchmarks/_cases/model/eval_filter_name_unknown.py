"""A filter that is not there is a wrong request, with those that are."""


def check(folder, run):
    done = run(["glotmix", "eval", "scores", "logs", "--filtered", "flexible_extract"])
    if done.returncode != 2:
        return f"exit {done.returncode}, not 2"
    missing = [name for name in ("flexible-extract", "strict-match") if name not in done.stderr]
    return f"the message does not name {missing}" if missing else None
