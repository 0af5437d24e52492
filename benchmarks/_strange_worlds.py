"""Worlds whose forms no law of glotmix contains: what a rule is worth where every law is wrong."""

from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array

FORMS = ("logarithmic", "threshold", "product", "crowded", "regimes")


@dataclass(frozen=True, eq=False)
class StrangeLaw:
    """The loss of language i, with own share r_i and transfer `t = Σ_j τ_j r_j`.

    ``logarithmic``: `E + 2 B (1 − ln(1 + r_i/k) / ln(1 + 1/k)) (1 − 0.3 tanh 4t)`: transfer helps by a part.
    ``threshold``: `E + 1.5 B / (1 + ((r_i + t)/k)^0.8)`: little is of little use.
    ``product``: `E + B (r_i + 0.003)^−0.7β (t + 0.02)^−0.3β`: own text and relatives complement each other.
    ``crowded``: `E + B (r_i + t)^−β + 0.15 s²`, s the share of languages that are of no use: they take room.
    ``regimes``: a power and an exponential.
    """

    own: int
    form: str
    irreducible: float
    scale: float
    beta: float
    knee: float
    tau: Array

    def predict(self, shares: Array) -> Array:
        own, given = shares[:, self.own], shares @ self.tau
        dose, e, b = own + given, self.irreducible, self.scale
        if self.form == "logarithmic":
            part = 1 - np.log1p(own / self.knee) / np.log1p(1 / self.knee)
            loss = e + 2 * b * part * (1 - 0.3 * np.tanh(4 * given))
        elif self.form == "threshold":
            loss = e + 1.5 * b / (1 + (dose / self.knee) ** 0.8)
        elif self.form == "product":
            loss = e + b * (own + 0.003) ** (-0.7 * self.beta) * (given + 0.02) ** (-0.3 * self.beta)
        elif self.form == "crowded":
            strangers = 1 - own - np.minimum(3 * given, 1 - own)
            loss = e + b * (dose + 1e-3) ** -self.beta + 0.15 * strangers**2
        else:
            loss = e + 0.18 * b * (dose + 1e-3) ** -0.6 + 0.8 * b * np.exp(-6 * dose)
        return np.asarray(loss)

    def gradient(self, shares: Array) -> Array:
        """By central differences."""
        m = shares.shape[1]
        step = 1e-6 * np.eye(m)
        up, down = shares[:, None] + step, np.maximum(shares[:, None] - step, 0.0)
        rise = self.predict(up.reshape(-1, m)) - self.predict(down.reshape(-1, m))
        return np.asarray(rise.reshape(shares.shape) / (up - down).diagonal(axis1=1, axis2=2))


def laws(form: str, m: int, seed: int) -> list[StrangeLaw]:
    """Draw the laws of a world: neighbours help each other where the seed is even, one donor all where it is odd."""
    rng = np.random.default_rng([5, FORMS.index(form), m, seed])
    place = rng.uniform(0, 2.5, (m, 2))
    tau = 0.3 * np.exp(-(np.linalg.norm(place[:, None] - place[None], axis=2) ** 2)) + 0.01
    if seed % 2:
        tau = 0.2 * tau
        tau[:, 0] = 1.5 / m * rng.uniform(0.5, 1.5, m)
    np.fill_diagonal(tau, 0.0)
    e, b, beta, knee = (rng.uniform(*ends, m) for ends in ((0.6, 1.0), (0.2, 0.5), (0.2, 0.45), (0.02, 0.08)))
    return [StrangeLaw(i, form, e[i], b[i], beta[i], knee[i], tau[i]) for i in range(m)]
