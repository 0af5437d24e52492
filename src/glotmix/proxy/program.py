"""A training step of several models on a CPU, its derivatives written out, in memory that is taken once.

The same models as `model`'s, which lets torch take the derivatives (for GPUs, for long windows): at these sizes that
bookkeeping, and memory asked for anew, cost as much as the products. A test holds the two to each other.

Products may be made in bfloat16. What they read and write is kept in it then; weights, what is carried from layer to
layer, norms and turns are float32 as ever.
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
"""Logits that are held at once: half a megabyte of float32."""
LEAST = torch.finfo(torch.float32).tiny


def suits(shape: Shape, device: torch.device) -> bool:
    """Whether models are trained by a `Program`."""
    return device.type == "cpu" and shape.context <= LONGEST


class Program:
    """Losses and derivatives of K models.

    Args:
        weights: (K, …) each; read at every step, never written.
        shape: of every model.
        batch: windows per step and model.
        kind: what products are made in: float32 or bfloat16.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], shape: Shape, batch: int, kind: torch.dtype = torch.float32
    ) -> None:
        self._exact, self._shape, self._batch, self._kind = weights, shape, batch, kind
        self._models = len(weights["embed"])
        self.derivatives: Weights = {name: torch.empty_like(weights[name]) for name in model.names(shape)}
        """Of the sum of the losses of the last step, in the order of `model.names`; float32."""
        # What products read and write: the same memory where they are made in float32.
        self._weights = {name: weights[name].to(kind) for name in self.derivatives}
        self._found = {name: w.to(kind) for name, w in self.derivatives.items()}
        self._memory: dict[tuple[str, int], Tensor] = {}
        self._turn = model.turns(shape, torch.device("cpu"))[:, 0]
        size = shape.width // shape.heads
        self._scale = size**-0.5
        self._back = (self._turn.conj() * self._scale).resolve_conj()[:, None]
        self._future = torch.full((shape.context, shape.context), -torch.inf, dtype=kind).triu_(1)
        self._offsets = torch.arange(self._models)[:, None] * shape.vocabulary
        n = batch * shape.context
        self._rows = (self._models, n, shape.width)
        self._gated = (self._models, n, shape.hidden)
        # A row of the first is a head of a window; of the second a token of a window, its heads beside each other.
        self._headed = (self._models * batch, shape.heads, shape.context, size)
        self._joined = (self._models * batch, shape.context, shape.heads, size)
        self._square = (self._models * batch * shape.heads, shape.context, shape.context)

    def _take(self, name: str, shape: tuple[int, ...], layer: int = -1, kind: torch.dtype | None = None) -> Tensor:
        """Return memory under a name; of a layer where a later step of the program reads it."""
        found = self._memory.get((name, layer))
        if found is None:
            found = self._memory[name, layer] = torch.empty(shape, dtype=kind or self._kind)
        return found

    def _as(self, kind: torch.dtype, x: Tensor, name: str) -> Tensor:
        """Return x where it is of a kind, else memory of the kind and of its shape, not filled; K n d numbers."""
        return x if x.dtype == kind else self._take(name, self._rows, kind=kind).view(x.shape)

    @torch.no_grad()
    def __call__(self, ids: Tensor, targets: Tensor, counts: Tensor | None = None) -> Tensor:
        """Return each model's mean cross-entropy in nats a token, (K,), and leave its `derivatives`.

        Args:
            ids: tokens, shape (K, B, T), T the context.
            targets: the tokens after them, of the same shape.
            counts: which targets bear loss, of the same shape; None for all. The mean is over those that do.
        """
        # Copying memory onto itself, here and below, is nothing: the two are one where products are float32.
        torch._foreach_copy_(list(self._weights.values()), [self._exact[name] for name in self._weights])
        weights, table = self._weights, self._exact["embed"].view(-1, self._shape.width)
        at = (ids.reshape(self._models, -1) + self._offsets).view(-1)
        x = self._take("x", self._rows, kind=torch.float32)
        torch.index_select(table, 0, at, out=x.view(-1, self._shape.width))
        kept = []
        for i in range(self._shape.layers):
            y, scale = self._norm("before", x, i)
            q, k, v, p, read = self._attend(y, i)
            self._onto(x, read, f"{i}.out")
            z, factor = self._norm("between", x, i)
            a = torch.bmm(z, weights[f"{i}.gate"], out=self._take("a", self._gated, i))
            b = torch.bmm(z, weights[f"{i}.up"], out=self._take("b", self._gated, i))
            opened = torch.ops.aten.silu.out(a, out=self._take("opened", self._gated, i))
            gated = torch.mul(opened, b, out=self._take("gated", self._gated, i))
            self._onto(x, gated, f"{i}.down")
            kept.append((y, scale, q, k, v, p, read, z, factor, a, b, opened, gated))
        y, scale = self._norm("last", x, -1)
        worth = None if counts is None else model.worths(counts.reshape(self._models, -1)).to(self._kind)
        losses, inner = self._guess(y, targets.reshape(self._models, -1), worth)
        # The 1/n of the mean is taken where there are few numbers.
        g = self._norm_back(inner, y, scale / y.shape[1], x.zero_())
        for i in reversed(range(self._shape.layers)):
            y, scale, q, k, v, p, read, z, factor, a, b, opened, gated = kept[i]
            inner = self._into(f"{i}.down", gated, self._rounded(g), "gated back", self._gated)
            gb = opened.mul_(inner)
            ga = torch.ops.aten.silu_backward.grad_input(inner.mul_(b), a, grad_input=b)
            inner = self._into(f"{i}.gate", z, ga, "back", self._rows)
            inner = self._into(f"{i}.up", z, gb, "back", self._rows, add=True)
            g = self._norm_back(inner, z, factor, g)
            inner = self._into(f"{i}.out", read, self._rounded(g), "read back", self._rows)
            inner = self._attend_back(inner, y, q, k, v, p, i)
            g = self._norm_back(inner, y, scale, g)
        torch._foreach_copy_(list(self.derivatives.values()), list(self._found.values()))
        self.derivatives["embed"].view(-1, self._shape.width).index_add_(0, at, g.view(-1, self._shape.width))
        return losses

    def _norm(self, name: str, x: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Return `x s` and its factor `s = 1 / sqrt(mean(x²) + ε)`."""
        s = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_()
        out = self._take(name, self._rows, layer)
        return out.copy_(torch.mul(x, s, out=self._as(torch.float32, out, "exact"))), s

    def _norm_back(self, g: Tensor, y: Tensor, s: Tensor, onto: Tensor) -> Tensor:
        """Add `s (g − y mean(g y))` to a derivative."""
        g, y = self._as(torch.float32, g, "exact").copy_(g), self._as(torch.float32, y, "exact y").copy_(y)
        both = torch.mul(g, y, out=self._take("norm back", self._rows, kind=torch.float32))
        return onto.addcmul_(torch.addcmul(g, y, both.mean(-1, keepdim=True), value=-1, out=both), s)

    def _rounded(self, g: Tensor) -> Tensor:
        """Return a derivative as products read it."""
        return self._as(self._kind, g, "rounded").copy_(g)

    def _onto(self, x: Tensor, inner: Tensor, name: str) -> None:
        """Add a product to what is carried from layer to layer."""
        if self._kind == x.dtype:
            x.baddbmm_(inner, self._weights[name])
        else:
            x.add_(torch.bmm(inner, self._weights[name], out=self._take("part", self._rows)))

    def _turned(self, x: Tensor, by: Tensor, out: Tensor) -> Tensor:
        """Write pairs of numbers, turned; heads change their place with tokens."""
        exact = self._as(torch.float32, x, "exact").copy_(x)
        turned = self._as(torch.float32, out, "exact turned")
        torch.mul(_pairs(exact).transpose(1, 2), by, out=_pairs(turned))
        return out.copy_(turned)

    def _attend(self, y: Tensor, i: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return turned q and k, and v, head by head; the attention; and what is read, (K, n, d)."""
        parts = []
        for name in ("query", "key", "value"):
            part = torch.bmm(y, self._weights[f"{i}.{name}"], out=self._take("part", self._rows)).view(self._joined)
            out = self._take(name, self._headed, i)
            if name == "value":
                out.copy_(part.transpose(1, 2))
            else:
                self._turned(part, self._turn, out)
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
        torch.ops.aten._softmax_backward_data.out(inner, p, -1, self._kind, grad_input=inner)
        found = self._take("back", self._rows)
        for name, left, right in (
            ("query", inner, k),
            ("key", inner.transpose(1, 2), q),
            ("value", p.transpose(1, 2), apart),
        ):
            joined = self._take("part", self._rows).view(self._joined)
            heads = self._take("heads", self._headed)
            torch.bmm(left, right, out=heads.flatten(0, 1))
            if name == "value":
                joined.copy_(heads.transpose(1, 2))
            else:
                self._turned(heads, self._back, joined)
            found = self._into(f"{i}.{name}", y, joined.view(self._rows), "back", self._rows, add=name != "query")
        return found

    def _into(
        self, name: str, x: Tensor, g: Tensor, memory: str, shape: tuple[int, ...], *, add: bool = False
    ) -> Tensor:
        """Leave the derivative of the weights of a product `x w`, and return that of x, added to what is there."""
        torch.bmm(x.transpose(1, 2), g, out=self._found[name])
        w, found = self._weights[name].transpose(1, 2), self._take(memory, shape)
        return found.baddbmm_(g, w) if add else torch.bmm(g, w, out=found)

    def _guess(self, y: Tensor, targets: Tensor, worth: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return losses, and n times the derivative of y; a few models at a time, for their logits fit into a cache.

        `worth`, (K, n): what each target counts for in the mean, n in all; None for 1.
        """
        n, pieces, embed = y.shape[1], self._shape.vocabulary, self._weights["embed"]
        few = max(1, GUESSES // (n * pieces))
        memory = self._take("guesses", (min(few, self._models), n, pieces))
        right, found = self._take("right", (self._models, n, 1)), self._take("guessed", self._rows)
        shares = torch.div(y, n, out=self._take("back", self._rows))
        if worth is not None:
            shares.mul_(worth[..., None])
        for part in (slice(at, at + few) for at in range(0, self._models, few)):
            inner, outer, at = y[part], embed[part], targets[part, :, None]
            p = torch.bmm(inner, outer.transpose(1, 2), out=memory[: len(inner)])
            torch.softmax(p, -1, out=p)
            torch.gather(p, 2, at, out=right[part])
            p.scatter_(2, at, right[part] - 1)
            torch.bmm(p, outer, out=found[part])
            torch.bmm(p.transpose(1, 2), shares[part], out=self._found["embed"][part])
        # A share that is no number of float32 any more is told as the least one; no derivative reads it.
        said = right[..., 0].float().clamp_(LEAST).log_()
        if worth is None:
            return said.mean(1).neg_(), found
        return said.mul_(worth.float()).mean(1).neg_(), found.mul_(worth[..., None])


def _pairs(x: Tensor) -> Tensor:
    """Neighbouring numbers as complex ones."""
    return torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))
