"""The mixture with its range: what other shares would mean in tokens and epochs, and what the laws say of them."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from glotmix.core import json_text, record
from glotmix.core.context import RunContext
from glotmix.core.errors import GlotmixError, RequestError, blame
from glotmix.mix.accounting import Available, account
from glotmix.mix.cell_limits import of_cells
from glotmix.mix.files import unit
from glotmix.mix.limits import Limits, broken
from glotmix.mix.steps import config_of


class Shares:
    """The mixture of a run.

    Args:
        context: the recipe at work.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._fitting: threading.Thread | None = None
        self._lock = threading.Lock()
        self._predictor: Any = None
        self._failed: str | None = None
        folder = context.step_dir("mixture")
        self._told: dict[str, Any] | None = None
        if record.read(folder) is not None:
            with blame(folder / "mixture.json", "glotmix run RECIPE makes it again"):
                self._told = json_text.loads((folder / "mixture.json").read_text("utf-8"))

    @property
    def shown(self) -> dict[str, Any]:
        """The mixture as it is, its baselines, and whether there are runs to fit laws to."""
        if self._told is None:
            return {"mixture": None}
        told, evidence = self._told, self._told.get("evidence")
        return {
            "mixture": told["languages"],
            "method": told["method"],
            "tokens": told["tokens"],
            "unit": unit(told["languages"]),
            "baselines": {name: {r["lang"]: r["share"] for r in rows} for name, rows in told["baselines"].items()},
            "warnings": told["warnings"],
            "runs": evidence["runs"] if evidence else None,
            "said": evidence["verdict"]["said"] if evidence else None,
        }

    def predict(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return what other ``shares`` (by language, summing to one) would mean.

        Returns:
            ``rows``: tokens and epochs of each language; ``breaks``: limits of the recipe that they do not keep;
            ``state`` of the laws (``none``, ``fitting``, ``failed``, ``ready``), and with ``ready`` what
            `mix.predictor.Predictor.predict` says.

        Raises:
            RequestError: if they are no mixture of these languages, or there is no mixture.
        """
        if self._told is None:
            raise RequestError("the run has no mixture", f"glotmix run {self._context.recipe.name}.yaml")
        rows = self._told["languages"]
        there = Available.of({r["lang"]: (r["documents"], r["bytes"], r["tokens"]) for r in rows})
        shares: Mapping[str, float] = {str(k): float(v) for k, v in given["shares"].items()}
        if unknown := sorted(set(shares) - set(there.languages)):
            raise RequestError(f"the run has no text of {unknown[0]}")
        drawn = np.array([shares.get(lang, 0.0) for lang in there.languages])
        if not 0.99 < drawn.sum() < 1.01:
            raise RequestError(f"the shares sum to {drawn.sum():.4g}, not to one")
        drawn = drawn / drawn.sum()
        mix, tokens = self._context.recipe.mix, int(self._told["tokens"])
        counted = account("yours", there, drawn, tokens)
        # Where runs measured what repeats are worth, the cap of the mixture follows them.
        cap = (self._told.get("evidence") or {}).get("repeats", {}).get("cap", mix.cap)
        limits = of_cells(Limits(cap, mix.max_epochs_of, mix.floors, mix.ceilings, mix.groups), there.languages)
        return {
            "rows": [
                {"lang": r.lang, "share": r.share, "tokens": r.tokens_used, "epochs": r.epochs} for r in counted.rows
            ],
            "breaks": list(broken(there, drawn, tokens, limits)),
            **self._said(there, dict(zip(there.languages, drawn.tolist(), strict=True))),
        }

    def _said(self, there: Available, shares: Mapping[str, float]) -> dict[str, Any]:
        assert self._told is not None
        if not self._told.get("evidence"):
            return {"state": "none"}
        with self._lock:
            if self._fitting is None:
                self._fitting = threading.Thread(target=self._fit, args=(there,), daemon=True)
                self._fitting.start()
        if self._failed is not None:
            return {"state": "failed", "why": self._failed}
        if self._predictor is None:
            return {"state": "fitting", "runs": self._told["evidence"]["runs"]}
        return {"state": "ready", **self._predictor.predict(shares)}

    def _fit(self, there: Available) -> None:
        # Only this needs the fitting libraries, and they are slow to import.
        from glotmix.mix.predictor import predictor

        assert self._told is not None
        chosen = {r["lang"]: r["share"] for r in self._told["languages"]}
        try:
            self._predictor = predictor(there, config_of(self._context), chosen, self._context.base)
        except GlotmixError as error:
            self._failed = f"{error.message} {error.fix or ''}".strip()
        except Exception as error:  # shown on the page: the thread has nobody else to tell
            self._failed = f"the laws could not be fitted: {type(error).__name__}: {error}"
