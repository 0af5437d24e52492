"""Two models below one path are never read as one, whatever their dates."""


def check(folder, run):
    for renamed in (False, True):
        if renamed:
            for path in list((folder / "logs" / "large").iterdir()):
                path.rename(path.with_name(path.name.replace("2026-03-05", "2026-03-01")))
        done = run(["glotmix", "eval", "scores", "logs"])
        if done.returncode != 3:
            return f"exit {done.returncode}, with {'one date' if renamed else 'two dates'}"
        missing = [name for name in ("logs/small", "logs/large") if name not in done.stderr]
        if missing:
            return f"the message does not name {missing}"
    return None
