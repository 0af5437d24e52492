"""What the records of the steps say: their order, their counts and warnings, and what single steps noted."""

from collections.abc import Mapping
from typing import Any

from glotmix.core.record import JSON
from glotmix.core.warning import named


def provenance(records: Mapping[str, Mapping[str, JSON]]) -> dict[str, Any]:
    """Return the steps with what they counted, the versions of libraries, and the warnings."""
    steps: list[dict[str, Any]] = []
    versions: dict[str, JSON] = {}
    warnings: list[tuple[str, str]] = []
    for name, found in records.items():
        identity, counts = found["identity"], found["counts"]
        assert isinstance(identity, dict) and isinstance(counts, dict)
        steps.append(
            {
                "name": name,
                "version": identity["version"],
                "fingerprint": found["fingerprint"],
                "counts": sorted(counts.items()),
            }
        )
        versions |= dict(found["versions"]) if isinstance(found["versions"], dict) else {}
        told = notes(records, name).get("warnings", [])
        warnings += [(name, named(str(text))) for text in told] if isinstance(told, list) else []
    return {"steps": steps, "versions": sorted(versions.items()), "warnings": warnings}


def notes(records: Mapping[str, Mapping[str, JSON]], step: str) -> dict[str, JSON]:
    """Return what a step noted; nothing where it was not run."""
    found = records[step]["notes"] if step in records else None
    return found if isinstance(found, dict) else {}


def search(records: Mapping[str, Mapping[str, JSON]]) -> dict[str, Any] | None:
    """Return how duplicates were searched for: bands, rows, what became of candidates, the curve of their chance.

    And in which scripts the self-test's recall is `under` its `floor`.
    """
    chance = notes(records, "signals/duplicates").get("chance of becoming candidates, by similarity")
    identity = records["signals/duplicates"]["identity"] if chance else None
    config = identity["config"] if isinstance(identity, dict) else None
    if not isinstance(config, dict):
        return None
    told = "every candidate counts as a duplicate"
    if config["verify"] != "off":
        told = f"a pair counts if its {config['verify']} Jaccard similarity is {config['threshold']:g} and more"
    tested: Any = notes(records, "signals/duplicates").get("self-test", [])
    floor: Any = config["recall_floor"]
    under = [f["script"] for f in tested if f["recall"] is not None and f["recall"] < floor]
    known = {"bands": config["bands"], "rows": config["rows"]}
    return known | {"told": told, "chance": chance, "floor": floor, "under": under}
