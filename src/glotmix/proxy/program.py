"""A training step of several models on a CPU, its derivatives written out, in memory that is taken once.

The same models as `model`'s, which lets torch take the derivatives (for GPUs, for bfloat16, for long windows): at these
sizes that bookkeeping, and memory asked for anew, cost as much as the products. A test holds the two to each other.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from glotmix.proxy import model
from glotmix.proxy.model import EPSILON, Weights
from glotmix.proxy.size import Shape

LONGEST = 128
"""Tokens of a window up to which attention is plain products: it keeps H T² numbers of a window."""
GUESSES = 2**17
"""Logits that are held at once: half a megabyte."""
LEAST = torch.finfo(torch.float32).tiny


def suits(shape: Shape, device: torch.device, kind: torch.dtype) -> bool:
    """Whether models are trained by a `Program`."""
    return device.type == "cpu" and kind == torch.float32 and shape.context <= LONGEST


class Program:
    """Losses and derivatives of K models.

    Args:
        weights: (K, …) each; read at every step, never written.
        shape: of every model.
        batch: windows per step and model.
    """

    def __init__(self, weights: Mapping[str, Tensor], shape: Shape, batch: int) -> None:
        self._weights, self._shape, self._batch = weights, shape, batch
        self._models = len(weights["embed"])
        self.derivatives: Weights = {name: torch.empty_like(weights[name]) for name in model.names(shape)}
        """Of the sum of the losses of the last step, in the order of `model.names`."""
        self._memory: dict[tuple[str, int], Tensor] = {}
        self._turn = model.turns(shape, torch.device("cpu"))[:, 0]
        size = shape.width // shape.heads
        self._scale = size**-0.5
        self._back = (self._turn.conj() * self._scale).resolve_conj()[:, None]
        self._future = torch.full((shape.context, shape.context), -torch.inf).triu_(1)
        self._offsets = torch.arange(self._models)[:, None] * shape.vocabulary
        self._less = torch.tensor(-1.0)
        n = batch * shape.context
        self._rows = (self._models, n, shape.width)
        self._gated = (self._models, n, shape.hidden)
        # A row of the first is a head of a window; of the second a token of a window, its heads beside each other.
        self._headed = (self._models * batch, shape.heads, shape.context, size)
        self._joined = (self._models * batch, shape.context, shape.heads, size)
        self._square = (self._models * batch * shape.heads, shape.context, shape.context)

    def _take(self, name: str, shape: tuple[int, ...], layer: int = -1) -> Tensor:
        """Return memory under a name; of a layer where a later step of the program reads it."""
        found = self._memory.get((name, layer))
        if found is None:
            found = self._memory[name, layer] = torch.empty(shape)
        return found

    @torch.no_grad()
    def __call__(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Return each model's mean cross-entropy in nats a token, (K,), and leave its `derivatives`.

        Args:
            ids: tokens, shape (K, B, T), T the context.
            targets: the tokens after them, of the same shape.
        """
        weights = self._weights
        at = (ids.reshape(self._models, -1) + self._offsets).view(-1)
        x = self._take("x", self._rows)
        torch.index_select(weights["embed"].view(-1, self._shape.width), 0, at, out=x.view(-1, self._shape.width))
        kept = []
        for i in range(self._shape.layers):
            y, scale = self._norm("before", x, i)
            q, k, v, p, read = self._attend(y, i)
            x.baddbmm_(read, weights[f"{i}.out"])
            z, factor = self._norm("between", x, i)
            a = torch.bmm(z, weights[f"{i}.gate"], out=self._take("a", self._gated, i))
            b = torch.bmm(z, weights[f"{i}.up"], out=self._take("b", self._gated, i))
            opened = torch.ops.aten.silu.out(a, out=self._take("opened", self._gated, i))
            gated = torch.mul(opened, b, out=self._take("gated", self._gated, i))
            x.baddbmm_(gated, weights[f"{i}.down"])
            kept.append((y, scale, q, k, v, p, read, z, factor, a, b, opened, gated))
        y, scale = self._norm("last", x, -1)
        losses, g = self._guess(y, targets.reshape(self._models, -1))
        # The 1/n of the mean is taken where there are few numbers.
        g = self._norm_back(g, y, scale / y.shape[1], x.zero_())
        for i in reversed(range(self._shape.layers)):
            y, scale, q, k, v, p, read, z, factor, a, b, opened, gated = kept[i]
            inner = self._into(f"{i}.down", gated, g, "gated back", self._gated)
            gb = opened.mul_(inner)
            ga = torch.ops.aten.silu_backward.grad_input(inner.mul_(b), a, grad_input=b)
            inner = self._into(f"{i}.gate", z, ga, "back", self._rows)
            inner = self._into(f"{i}.up", z, gb, "back", self._rows, add=True)
            g = self._norm_back(inner, z, factor, g)
            inner = self._into(f"{i}.out", read, g, "read back", self._rows)
            inner = self._attend_back(inner, y, q, k, v, p, i)
            g = self._norm_back(inner, y, scale, g)
        self.derivatives["embed"].view(-1, self._shape.width).index_add_(0, at, g.view(-1, self._shape.width))
        return losses

    def _norm(self, name: str, x: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Return `x s` and its factor `s = 1 / sqrt(mean(x²) + ε)`."""
        s = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_()
        return torch.mul(x, s, out=self._take(name, self._rows, layer)), s

    def _norm_back(self, g: Tensor, y: Tensor, s: Tensor, onto: Tensor) -> Tensor:
        """Add `s (g − y mean(g y))` to a derivative."""
        both = torch.mul(g, y, out=self._take("norm back", self._rows))
        return onto.addcmul_(torch.addcmul(g, y, both.mean(-1, keepdim=True), value=-1, out=both), s)

    def _attend(self, y: Tensor, i: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return turned q and k, and v, head by head; the attention; and what is read, (K, n, d)."""
        parts = []
        for name in ("query", "key", "value"):
            part = torch.bmm(y, self._weights[f"{i}.{name}"], out=self._take("part", self._rows)).view(self._joined)
            out = self._take(name, self._headed, i)
            if name == "value":
                out.copy_(part.transpose(1, 2))
            else:
                torch.mul(_pairs(part).transpose(1, 2), self._turn, out=_pairs(out))
            parts.append(out.flatten(0, 1))
        q, k, v = parts
        p = self._take("p", self._square, i)
        torch.baddbmm(self._future, q, k.transpose(1, 2), alpha=self._scale, out=p)
        torch.softmax(p, -1, out=p)
        read = self._take("read", self._rows, i)
        found = torch.bmm(p, v, out=self._take("heads", self._headed).flatten(0, 1))
        read.view(self._joined).copy_(found.view(self._headed).transpose(1, 2))
        return q, k, v, p, read

    def _attend_back(self, g: Tensor, y: Tensor, q: Tensor, k: Tensor, v: Tensor, p: Tensor, i: int) -> Tensor:
        """Leave the derivatives of a layer's q, k and v, and return that of what they were made of."""
        apart = self._take("apart", self._headed).copy_(g.view(self._joined).transpose(1, 2)).flatten(0, 1)
        inner = torch.bmm(apart, v.transpose(1, 2), out=self._take("scores", self._square))
        torch.ops.aten._softmax_backward_data.out(inner, p, -1, torch.float32, grad_input=inner)
        found = self._take("back", self._rows)
        for name, left, right in (
            ("query", inner, k),
            ("key", inner.transpose(1, 2), q),
            ("value", p.transpose(1, 2), apart),
        ):
            joined, heads = self._take("part", self._rows), self._take("heads", self._headed)
            torch.bmm(left, right, out=heads.flatten(0, 1))
            if name == "value":
                joined.view(self._joined).copy_(heads.transpose(1, 2))
            else:
                torch.mul(_pairs(heads).transpose(1, 2), self._back, out=_pairs(joined.view(self._joined)))
            found = self._into(f"{i}.{name}", y, joined, "back", self._rows, add=name != "query")
        return found

    def _into(
        self, name: str, x: Tensor, g: Tensor, memory: str, shape: tuple[int, ...], *, add: bool = False
    ) -> Tensor:
        """Leave the derivative of the weights of a product `x w`, and return that of x, added to what is there."""
        torch.bmm(x.transpose(1, 2), g, out=self.derivatives[name])
        w, found = self._weights[name].transpose(1, 2), self._take(memory, shape)
        return found.baddbmm_(g, w) if add else torch.bmm(g, w, out=found)

    def _guess(self, y: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses, and n times the derivative of y; a few models at a time, for their logits fit into a cache."""
        n, pieces, embed = y.shape[1], self._shape.vocabulary, self._weights["embed"]
        few = max(1, GUESSES // (n * pieces))
        memory = self._take("guesses", (min(few, self._models), n, pieces))
        right, found = self._take("right", (self._models, n, 1)), self._take("guessed", self._rows)
        shares, less = torch.div(y, n, out=self._take("back", self._rows)), self._less
        for part in (slice(at, at + few) for at in range(0, self._models, few)):
            inner, outer, at = y[part], embed[part], targets[part, :, None]
            p = torch.bmm(inner, outer.transpose(1, 2), out=memory[: len(inner)])
            torch.softmax(p, -1, out=p)
            torch.gather(p, 2, at, out=right[part])
            p.scatter_add_(2, at, less.expand_as(at))
            torch.bmm(p, outer, out=found[part])
            torch.bmm(p.transpose(1, 2), shares[part], out=self.derivatives["embed"][part])
        # A share that is no number of float32 any more is told as the least one; no derivative reads it.
        return right[..., 0].clamp_(LEAST).log_().mean(1).neg_(), found


def _pairs(x: Tensor) -> Tensor:
    """Neighbouring numbers as complex ones."""
    return torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))
