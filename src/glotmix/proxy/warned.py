"""What proxies warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "earlier-runs",
        "earlier runs still hold",
        "A source was added or changed. Runs that drew on nothing that changed were kept, and few trained beside them.",
        "Nothing; or `mix.proxies.earlier: null`, to train all anew.",
    ),
)
