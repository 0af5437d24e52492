"""Barriers for people who use a page by keyboard or by ear, as axe-core finds them in a real browser."""

import json
from pathlib import Path
from typing import Any

from browser import Browser

AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"
SERIOUS = ("serious", "critical")


def found(opened: Browser) -> list[dict[str, Any]]:
    """Return what axe-core says of the page that is shown: ``id``, ``impact``, ``help`` and the elements, ``nodes``."""
    opened.run(AXE.read_text("utf-8") + "\nwindow.axe = axe;")
    told = opened.run_async(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((r) => done(JSON.stringify("
        "r.violations.map((v) => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => n.html)})))), "
        "(e) => done(JSON.stringify([{id: 'failed', impact: 'critical', help: String(e), nodes: []}])));"
    )
    violations: list[dict[str, Any]] = json.loads(told)
    return violations


def serious(opened: Browser) -> list[str]:
    """Return the serious ones in words."""
    return [f"{v['id']}: {v['help']}: {v['nodes'][:3]}" for v in found(opened) if v["impact"] in SERIOUS]
