"""K decoders as one: every weight has a first axis of models, every product is a batched one.

Llama's architecture (Touvron et al. 2023, arXiv 2302.13971): RMSNorm before each part, rotary positions, SwiGLU, no
biases, input and output embedding tied; the norms have no weights of their own (in the export they are ones). Three
parts have derivatives written out, because at these sizes a proxy's time goes into reading and writing memory, not into
products: norm, gate, and softmax with the loss.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from glotmix.proxy.size import Shape

Weights = dict[str, Tensor]
EPSILON = 1e-5
THETA = 10_000.0


def names(shape: Shape) -> dict[str, tuple[int, int]]:
    """Return every weight of one model: its name and its shape (rows go in, columns come out; the embedding (V, d))."""
    d, f = shape.width, shape.hidden
    found = {"embed": (shape.vocabulary, d)}
    for i in range(shape.layers):
        found |= {f"{i}.{n}": (d, d) for n in ("query", "key", "value", "out")}
        found |= {f"{i}.gate": (d, f), f"{i}.up": (d, f), f"{i}.down": (f, d)}
    return found


def begin(shape: Shape, seeds: Sequence[int]) -> Weights:
    """Return the first weights of one model per seed, (K, …) each, the same for a seed whatever stands beside it.

    The two products that write into the residual stream begin at zero, so that a model begins as its embedding.
    """
    stacked: dict[str, list[Tensor]] = {name: [] for name in names(shape)}
    for seed in seeds:
        source = torch.Generator().manual_seed(seed)
        for name, size in names(shape).items():
            drawn = torch.randn(size, generator=source)
            scale = 0.05 if name == "embed" else 0.0 if name.endswith(("out", "down")) else size[0] ** -0.5
            stacked[name].append(drawn * scale)
    return {name: torch.stack(each) for name, each in stacked.items()}


class _Norm(torch.autograd.Function):
    """`x / sqrt(mean(x²) + ε)`; the derivative is `s (g − y mean(g y))` with s the factor and y the result."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        s = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_()
        y: Tensor = x * s
        ctx.save_for_backward(y, s)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (g,) = grads
        y, s = ctx.saved_tensors
        return torch.addcmul(g, y, (g * y).mean(-1, keepdim=True), value=-1).mul_(s)


def _norm(x: Tensor) -> Tensor:
    found: Tensor = _Norm.apply(x)  # type: ignore[no-untyped-call]
    return found


class _Gate(torch.autograd.Function):
    """`silu(a) b` (SwiGLU, Shazeer 2020, arXiv 2002.05202)."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return functional.silu(a).mul_(b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        (g,) = grads
        a, b = ctx.saved_tensors
        return torch.ops.aten.silu_backward(g * b, a), functional.silu(a).mul_(g)


def _gate(a: Tensor, b: Tensor) -> Tensor:
    found: Tensor = _Gate.apply(a, b)  # type: ignore[no-untyped-call]
    return found


class _Loss(torch.autograd.Function):
    """Mean cross-entropy of each model, its derivatives taken on the way, model by model.

    No array of (K, n, V) ever stands in memory: the logits of one model fit into a cache.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, embed: Tensor, targets: Tensor, worth: Tensor | None, kind: torch.dtype) -> Tensor:
        losses = x.new_empty(x.shape[0])
        gx, ge = torch.empty_like(x), torch.empty_like(embed)
        n = x.shape[1]
        for i in range(x.shape[0]):
            inner, outer = x[i].to(kind), embed[i].to(kind)
            at = targets[i][:, None]
            p = (inner @ outer.t()).float()
            right = p.gather(1, at)
            most = p.amax(1, keepdim=True)
            total = p.sub_(most).exp_().sum(1, keepdim=True)
            each = total.log() + most - right
            losses[i] = each.mean() if worth is None else (each[:, 0] * worth[i]).mean()
            p.mul_(1 / (total * n)).scatter_add_(1, at, torch.full_like(right, -1 / n))
            if worth is not None:
                p.mul_(worth[i][:, None])
            back = p.to(kind)
            gx[i] = back @ outer
            ge[i] = back.t() @ inner
        ctx.save_for_backward(gx, ge)
        return losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        gx, ge = ctx.saved_tensors
        by = grads[0][:, None, None]
        # In place: a training step comes this way once.
        return gx.mul_(by), ge.mul_(by), None, None, None


def worths(counts: Tensor) -> Tensor:
    """Return what each target counts for in a mean over those that bear loss: n in all, shape (K, n) as `counts`."""
    held = counts.float()
    return held * (held.shape[-1] / held.sum(-1, keepdim=True).clamp(min=1.0))


def _product(x: Tensor, w: Tensor, kind: torch.dtype) -> Tensor:
    """(K, n, a) times (K, a, b): the operands in `kind`, the result in float32."""
    if kind == torch.float32:
        return torch.bmm(x, w)
    return torch.bmm(x.to(kind), w.to(kind)).float()


def turns(shape: Shape, device: torch.device) -> Tensor:
    """Return the rotary positions (Su et al. 2021, arXiv 2104.09864) as complex numbers, shape (T, 1, d / 2H)."""
    half = shape.width // shape.heads // 2
    speed = THETA ** (-np.arange(half) / half)
    angles = torch.tensor(np.arange(shape.context)[:, None] * speed, dtype=torch.float32, device=device)
    return torch.polar(torch.ones_like(angles), angles)[:, None]


def hidden(weights: Mapping[str, Tensor], shape: Shape, ids: Tensor, kind: torch.dtype = torch.float32) -> Tensor:
    """Return what each model makes of its tokens before the last product.

    Neighbouring numbers of a head turn together (the order of the paper; Llama's export reorders them).

    Args:
        weights: (K, …) each.
        shape: of every model.
        ids: tokens, shape (K, B, T), T no more than the context.
        kind: what products are made in.

    Returns:
        shape (K, B·T, d).
    """
    models, batch, length = ids.shape
    d, heads = shape.width, shape.heads
    turn = turns(shape, ids.device)[:length]
    offsets = torch.arange(models, device=ids.device)[:, None, None] * shape.vocabulary
    table = weights["embed"].reshape(models * shape.vocabulary, d)
    x = functional.embedding((ids + offsets).reshape(-1), table).view(models, batch * length, d)

    def turned(part: Tensor) -> Tensor:
        pairs = torch.view_as_complex(part.view(models * batch, length, heads, -1, 2))
        return torch.view_as_real(pairs * turn).flatten(-2).transpose(1, 2).to(kind)

    for i in range(shape.layers):
        h = _norm(x)
        q, k, v = (_product(h, weights[f"{i}.{name}"], kind) for name in ("query", "key", "value"))
        v = v.view(models * batch, length, heads, -1).transpose(1, 2).to(kind)
        read = functional.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
        read = read.transpose(1, 2).reshape(models, batch * length, d)
        x = x + _product(read.float(), weights[f"{i}.out"], kind)
        h = _norm(x)
        gated = _gate(_product(h, weights[f"{i}.gate"], kind), _product(h, weights[f"{i}.up"], kind))
        x = x + _product(gated, weights[f"{i}.down"], kind)
    return _norm(x)


def losses(
    weights: Mapping[str, Tensor],
    shape: Shape,
    ids: Tensor,
    targets: Tensor,
    kind: torch.dtype = torch.float32,
    counts: Tensor | None = None,
) -> Tensor:
    """Return each model's mean cross-entropy in nats a token, shape (K,).

    Args:
        weights: (K, …) each.
        shape: of every model.
        ids: tokens, shape (K, B, T).
        targets: the tokens after them, of the same shape.
        kind: what products are made in.
        counts: which targets bear loss, of the same shape; None for all. The mean is over those that do.
    """
    x = hidden(weights, shape, ids, kind)
    worth = None if counts is None else worths(counts.reshape(len(x), -1))
    at = targets.reshape(len(x), -1)
    found: Tensor = _Loss.apply(x, weights["embed"], at, worth, kind)  # type: ignore[no-untyped-call]
    return found


@torch.no_grad()
def surprise(
    weights: Mapping[str, Tensor], shape: Shape, ids: Tensor, targets: Tensor, kind: torch.dtype = torch.float32
) -> Tensor:
    """Return the cross-entropy of every single token in nats, shape (K, B, T)."""
    x = hidden(weights, shape, ids, kind)
    found = torch.empty(ids.shape, device=ids.device)
    for i in range(len(x)):
        logits = (x[i].to(kind) @ weights["embed"][i].to(kind).t()).float()
        right = logits.gather(1, targets[i].reshape(-1, 1))[:, 0]
        found[i] = (torch.logsumexp(logits, 1) - right).view(ids.shape[1:])
    return found


@torch.no_grad()
def logits(weights: Mapping[str, Tensor], shape: Shape, ids: Tensor) -> Tensor:
    """Return the logits of every model at every token, shape (K, B, T, V), in float32."""
    x = hidden(weights, shape, ids)
    return torch.bmm(x, weights["embed"].transpose(1, 2)).view(*ids.shape, shape.vocabulary)
