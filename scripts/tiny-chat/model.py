"""A small llama: RMSNorm, interleaved rotary positions, grouped-query attention, SwiGLU, untied output."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Called with (layer, name, tensor) for the inputs of attn_output and ffn_down and for the residual after a layer.
Tap = Callable[[int, str, Tensor], None]


@dataclass(frozen=True)
class Config:
    """Row lengths are multiples of 256, which K-quants need."""

    n_vocab: int = 1504
    d_model: int = 256
    n_layers: int = 6
    n_heads: int = 4
    n_kv_heads: int = 2
    d_ffn: int = 512
    n_context: int = 512
    norm_epsilon: float = 1e-5
    rope_base: float = 10000.0

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads


def _matrix(n_out: int, n_in: int, gain: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.randn(n_out, n_in) * gain / math.sqrt(n_in))


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates neighbouring pairs, the order that ggml's llama graph uses: Q and K need no permutation on export."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Block(nn.Module):
    """One layer; parameters carry the names that GGUF gives them."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        d, d_kv = config.d_model, config.n_kv_heads * config.d_head
        self.attn_norm = nn.Parameter(torch.ones(d))
        self.attn_q, self.attn_k, self.attn_v = _matrix(d, d), _matrix(d_kv, d), _matrix(d_kv, d)
        self.attn_output = _matrix(d, d, 0.1)
        self.ffn_norm = nn.Parameter(torch.ones(d))
        self.ffn_gate, self.ffn_up = _matrix(config.d_ffn, d), _matrix(config.d_ffn, d)
        self.ffn_down = _matrix(d, config.d_ffn, 0.1)

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        c = self.config
        n, t, _ = x.shape
        q = _rotate(F.linear(x, self.attn_q).view(n, t, c.n_heads, c.d_head).transpose(1, 2), cos, sin)
        k = _rotate(F.linear(x, self.attn_k).view(n, t, c.n_kv_heads, c.d_head).transpose(1, 2), cos, sin)
        v = F.linear(x, self.attn_v).view(n, t, c.n_kv_heads, c.d_head).transpose(1, 2)
        k, v = (part.repeat_interleave(c.n_heads // c.n_kv_heads, 1) for part in (k, v))
        # Written out: at some 40 positions the fused kernel's backward pass costs more on a CPU.
        weights = (q @ k.mT / math.sqrt(c.d_head) + mask).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(n, t, c.d_model)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, layer: int, tap: Tap | None) -> Tensor:
        c = self.config
        mixed = self._attend(F.rms_norm(x, (c.d_model,), self.attn_norm, c.norm_epsilon), cos, sin, mask)
        x = x + F.linear(mixed, self.attn_output)
        h = F.rms_norm(x, (c.d_model,), self.ffn_norm, c.norm_epsilon)
        hidden = F.silu(F.linear(h, self.ffn_gate)) * F.linear(h, self.ffn_up)
        x = x + F.linear(hidden, self.ffn_down)
        if tap:
            tap(layer, "attn_output", mixed)
            tap(layer, "ffn_down", hidden)
            tap(layer, "residual", x)
        return x


class TinyLlama(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.token_embd = nn.Parameter(torch.randn(config.n_vocab, config.d_model) * 0.7)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.output_norm = nn.Parameter(torch.ones(config.d_model))
        self.output = nn.Parameter(torch.zeros(config.n_vocab, config.d_model))
        frequency = config.rope_base ** (-torch.arange(0, config.d_head, 2) / config.d_head)
        angle = torch.arange(config.n_context)[:, None] * frequency
        mask = torch.full((config.n_context, config.n_context), -1e9).triu(1)
        for name, value in (("cos", angle.cos()), ("sin", angle.sin()), ("mask", mask)):
            self.register_buffer(name, value, persistent=False)

    def forward(self, ids: Tensor, tap: Tap | None = None) -> Tensor:
        """ids [n, t] -> the normed last residual [n, t, d_model]; padding goes after the text."""
        t = ids.shape[1]
        x = self.token_embd[ids]
        for layer, block in enumerate(self.blk):
            x = block(x, self.cos[:t], self.sin[:t], self.mask[:t, :t], layer, tap)
        return F.rms_norm(x, (self.config.d_model,), self.output_norm, self.config.norm_epsilon)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.output)

    def matrices(self) -> list[nn.Parameter]:
        """The matrices of the layers, which Muon trains; the rest is embeddings, output and norms."""
        return [p for p in self.blk.parameters() if p.ndim == 2]
