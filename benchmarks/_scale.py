"""Fit, choose and bound a mixture of m languages from n runs: `python -m benchmarks._scale 100 300`, for `recovery`."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from glotmix.mix.accounting import Available
from glotmix.mix.config import MixConfig
from glotmix.mix.design import Design, design
from glotmix.mix.plan import plan
from glotmix.mix.run_tables import write
from glotmix.mix.runs import Runs, similarity

_LATIN = """eng deu nld swe dan nob isl afr fra spa por ita cat ron glg oci pol ces slk slv hrv bos lit lvs est fin hun
tur azj uzn tuk ind zsm jav sun ceb tgl vie eus gle cym mlt swh zul xho sot tsn yor ibo hau som kin lug
wol hat ltz fao"""
_OTHERS = """rus_Cyrl ukr_Cyrl bel_Cyrl bul_Cyrl mkd_Cyrl srp_Cyrl kaz_Cyrl kir_Cyrl tat_Cyrl tgk_Cyrl khk_Cyrl bak_Cyrl
arb_Arab pes_Arab urd_Arab ckb_Arab uig_Arab snd_Arab hin_Deva mar_Deva npi_Deva san_Deva mai_Deva bho_Deva ben_Beng
asm_Beng guj_Gujr pan_Guru ory_Orya tam_Taml tel_Telu kan_Knda mal_Mlym sin_Sinh tha_Thai lao_Laoo mya_Mymr khm_Khmr
kat_Geor hye_Armn ell_Grek heb_Hebr amh_Ethi tir_Ethi jpn_Jpan kor_Hang zho_Hans bod_Tibt"""
NAMES = tuple(sorted([*(f"{code}_Latn" for code in _LATIN.split()), *_OTHERS.split()]))


def main(m: int, n: int) -> None:
    rng = np.random.default_rng(0)
    names = NAMES[:m]
    sizes = np.sort(10 ** rng.uniform(6, 9, m))[::-1].astype(int)
    there = Available.of({lang: (int(u // 1000), int(4 * u), int(u)) for lang, u in zip(names, sizes, strict=True)})
    planned = design(there, Design(1e6, (3e5,), n - 4, target=there.total, one_size=True))
    e, b, beta = (rng.uniform(*ends, m) for ends in ((0.6, 1.0), (0.2, 0.5), (0.2, 0.45)))
    kin = [similarity(planned.domains, i) for i in range(m)]
    tau = np.array([0.004 * np.exp(1.0 * k[:, 1] + 1.5 * k[:, 2]) for k in kin if k is not None])
    np.fill_diagonal(tau, 1.0)
    losses = (e + b * (planned.worth() @ tau.T + 1e-6) ** -beta) * np.exp(
        0.003 * rng.standard_normal((len(planned), m))
    )
    with tempfile.TemporaryDirectory() as folder:
        write(Runs(planned.names, planned.domains, planned.domains, planned.shares, losses, planned.parameters,
                   planned.tokens, planned.unique, planned.seeds), Path(folder))  # fmt: skip
        asked = MixConfig(tokens=there.total, runs={"mixtures": "ratios.csv", "losses": "metrics.csv"})
        made = plan(there, asked, Path(folder))
    print(json.dumps({"said": made.evidence["verdict"]["said"], "runs": len(planned), "languages": m}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
