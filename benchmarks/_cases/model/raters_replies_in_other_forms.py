"""Clear verdicts are understood in whatever form; what is none stays none."""


def check(folder, run):
    done = run(["python", "check.py"])
    return None if done.returncode == 0 else done.stdout.strip() or done.stderr[-200:]
