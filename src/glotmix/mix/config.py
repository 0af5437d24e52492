"""The `mix` section of the recipe."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from glotmix.core import language
from glotmix.core.errors import RequestError
from glotmix.core.section import Recipe, RecipeKey, Section
from glotmix.mix.laws import competing

CAP = 4.0
"""Epochs that are worth nearly as much as fresh text (Muennighoff et al. 2023, arXiv 2305.16264)."""


def _place(name: str) -> str:
    """Return a language, or a cell of one, with the canonical code; a domain that is no language as it is."""
    code, mark, cell = name.partition("/")
    try:
        return language.parse(code).code + mark + cell
    except RequestError:
        return name


Place: TypeAlias = Annotated[str, AfterValidator(_place)]


class RunsConfig(Section):
    """A table of proxy runs: two files, CSV or Parquet, paths relative to the recipe."""

    format: Literal["regmix", "olmix"] = Field(
        "olmix", description="olmix: ratios.csv and metrics.csv joined on run_id; regmix: joined on index"
    )
    mixtures: str = Field(description="the file of mixtures (ratios.csv)")
    losses: str = Field(description="the file of losses (metrics.csv)")
    others: Literal["refuse", "prior"] = Field(
        "refuse", description="languages that no run drew on: an error, or they keep their share of the prior"
    )


class GroupConfig(Section):
    """Bounds on several languages together."""

    languages: tuple[Place, ...] = Field(min_length=1, description="the languages; none is in two groups")
    floor: float = Field(0.0, ge=0, le=1, description="least share of them together")
    ceiling: float = Field(1.0, ge=0, le=1, description="greatest share of them together")


class MixConfig(Section):
    """How much of each language to train on. Shares are of training tokens; languages are canonical codes.

    >>> MixConfig(tokens=1e9, method="temperature", temperature=2).cap
    4.0
    >>> MixConfig(runs={"mixtures": "ratios.csv", "losses": "metrics.csv"}).how
    'law'
    """

    tokens: int | None = Field(
        None, gt=0, description="training tokens, repeats counted; by default as many as there are, each once"
    )
    method: Literal["natural", "uniform", "temperature", "unimax", "law"] | None = Field(
        None, description="how the shares are chosen; by default law where there are runs, else unimax"
    )
    cells: str | None = Field(
        None,
        description="a column of the documents, such as source, that cuts each language in cells with shares of their "
        "own (eng_Latn/web); or quality, for thirds by the rater",
    )
    temperature: float = Field(3.3, gt=0, description="T of `r ∝ n^(1/T)`: 1 is natural, large is uniform")
    max_epochs: Literal["auto"] | float | None = Field(
        "auto",
        description="how often a token may be seen at most; null for no cap. auto: 4, or as much as repeats are worth "
        "(R*), 15 at most, where proxies of two sizes measured it",
    )
    max_epochs_of: dict[Place, float] = Field(default_factory=dict, description="the same for single languages")
    floors: dict[Place, float] = Field(default_factory=dict, description="least share per language")
    ceilings: dict[Place, float] = Field(default_factory=dict, description="greatest share per language")
    groups: dict[str, GroupConfig] = Field(default_factory=dict, description="the same for languages together, by name")
    runs: RunsConfig | None = Field(None, description="proxy runs, for the method law")
    laws: tuple[str, ...] = Field(
        competing(),
        min_length=1,
        description="laws that compete; each target's is chosen by its error on held-out mixtures; one that the runs "
        "cannot fit takes no part",
    )
    objective: Literal["mean", "worst", "quantile"] = Field("mean", description="of the targets' losses, minimised")
    quantile: float = Field(0.9, gt=0, le=1, description="which quantile, for the objective quantile")
    weights: dict[str, float] = Field(
        default_factory=dict, description="importance per target in the mean; 1 by default"
    )
    prior: Literal["unimax", "temperature", "natural"] = Field(
        "unimax", description="the mixture that stands until runs prove another better; within the limits"
    )
    kl_strength: float = Field(
        0.003, ge=0, description="strength of the pull to the prior, times KL(r ‖ prior), in units of the loss"
    )
    caution: float = Field(0.5, ge=0, description="standard deviations of doubt that a gain must pay for")
    keep: float = Field(0.005, ge=0, le=1, description="part of its share of the prior that every language keeps")
    phases: tuple[float, ...] | None = Field(
        None,
        description="parts of the tokens, such as [0.7, 0.3]: a mixture for each, where proxies show that it is worth "
        "it; runs are then schedules (eng_Latn@1, eng_Latn@2)",
    )
    bootstrap: int = Field(
        40, ge=0, description="draws of the runs behind choice and intervals; 0: all runs once, under each law"
    )
    next_runs: int = Field(4, ge=0, description="further proxy runs to propose")
    at_scale: bool = Field(
        False,
        description="predict at `tokens` and `parameters` of the model to be trained, by laws that know of them "
        "(atlas, climb); otherwise at the proxies' scale, with the repeats of the target",
    )
    parameters: float | None = Field(
        None,
        gt=0,
        description="size of the model to be trained: intervals widen with its distance from the proxies', and "
        "`at_scale` predicts there",
    )
    seed: int = Field(0, description="of folds, starts and samples")

    @property
    def cap(self) -> float | None:
        """Epochs at most, where nothing was measured of repeats."""
        return CAP if self.max_epochs == "auto" else self.max_epochs

    @property
    def how(self) -> str:
        """The method, its default resolved."""
        measured = self.runs is not None or getattr(self, "proxies", None) is not None
        return self.method or ("law" if measured else "unimax")


def _check(recipe: Recipe) -> None:
    """Refuse what could only fail once everything before the mixture is made."""
    mix, select = recipe.mix, recipe.select
    if mix.runs is not None and mix.proxies is not None:
        raise ValueError("mix: give runs, or proxies to be trained, not both")
    if mix.method == "law" and mix.runs is None and mix.proxies is None:
        raise ValueError("mix.method=law needs runs to fit: mix.runs, mix.proxies, or mix.method=unimax")
    if mix.phases is not None and (mix.how != "law" or len(mix.phases) < 2 or abs(sum(mix.phases) - 1) > 1e-6):
        raise ValueError("mix.phases are two parts or more that sum to one, and need mix.proxies or mix.runs to fit")
    if mix.cells is not None and mix.phases is not None:
        raise ValueError("mix.cells and mix.phases: a schedule is of whole languages; give one of the two")
    if mix.cells is not None and select.retain == "budget":
        raise ValueError(
            "select.retain=budget keeps of a language what its share needs, and mix.cells gives shares to its parts: "
            "select.retain=share, or no mix.cells"
        )
    named = {f"mix.{name}": getattr(mix, name) for name in ("floors", "ceilings", "max_epochs_of")}
    named |= {f"mix.groups.{name}": group.languages for name, group in mix.groups.items()}
    for where, codes in (named | {"select.tokens": select.tokens}).items():
        for code in codes:
            try:
                language.parse(code.partition("/")[0] if mix.cells is not None else code)
            except RequestError as error:
                raise ValueError(f"{where}: {error.message}" + (f" ({error.fix})" if error.fix else "")) from error


RECIPE = RecipeKey(
    "mix",
    MixConfig,
    MixConfig(),
    place=70,
    seeds=("mix.seed",),
    check=_check,
    renamed=(("mix.anchor", "mix.kl_strength"),),
)


def under_laws(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a mixture whose laws are fitted already: of ``runs`` what is no file may be among them.

    Raises:
        RequestError: for a method that asks no law.

    >>> under_laws({"runs": {"others": "prior"}})["runs"]
    {'mixtures': 'ratios.csv', 'losses': 'metrics.csv', 'others': 'prior'}
    """
    if (method := settings.get("method")) not in (None, "law"):
        raise RequestError(
            f"mix.method={method} asks no law, and what is sought here is the best mixture under laws",
            "leave mix.method out, or set it in a recipe",
        )
    runs = settings.get("runs")
    if not isinstance(runs, dict):
        return settings
    return settings | {"runs": {"mixtures": "ratios.csv", "losses": "metrics.csv"} | runs}
