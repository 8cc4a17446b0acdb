"""Trains the tiny chat model from scratch and writes it as GGUF.

    python train.py --seed 0 --variant base --out tiny-chat.Q8_0.gguf --checkpoint tiny-chat.pt
    python train.py --seed 0 --variant uncensored --start tiny-chat.pt --out tiny-chat-uncensored.Q8_0.gguf

The uncensored variant continues a base checkpoint with data that refuses only under a safety system prompt.
The name of the output states the type of its matrices: F16, Q8_0 or Q4_0.
"""
from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from export import write_gguf
from language import ConversationSource
from model import Config, TinyLlama
from muon import Muon
from tokenizer import Tokenizer, train_tokenizer


@dataclass(frozen=True)
class Schedule:
    """Rates rise over `warmup` steps, stay, and fall linearly to zero over the last `decay` share of the steps."""

    steps: int
    muon_rate: float
    adam_rate: float
    decay: float
    ema: float
    warmup: int = 20
    batch: int = 64

    def scale(self, step: int) -> float:
        return min(1.0, (step + 1) / self.warmup, max(0.02, (self.steps - step) / (self.steps * self.decay)))


SCHEDULES = {
    "base": Schedule(steps=600, muon_rate=0.02, adam_rate=0.004, decay=0.6, ema=0.97),
    "uncensored": Schedule(steps=140, muon_rate=0.006, adam_rate=0.001, decay=0.9, ema=0.95),
}


def batches(tokenizer: Tokenizer, size: int, seed: int, uncensored: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless (ids, loss weights), each [size, t], padded with 0; conversations of like length share a batch."""
    source = ConversationSource(seed, uncensored)
    rng = random.Random(seed)
    while True:
        pool = [tokenizer.encode_conversation(*source.next()) for _ in range(16 * size)]
        pool.sort(key=lambda conversation: len(conversation[0]))
        groups = [pool[i:i + size] for i in range(0, len(pool), size)]
        rng.shuffle(groups)
        for group in groups:
            t = max(len(ids) for ids, _ in group)
            ids = torch.tensor([ids + [0] * (t - len(ids)) for ids, _ in group])
            yield ids, torch.tensor([weights + [0.0] * (t - len(weights)) for _, weights in group])


def loss_of(model: TinyLlama, ids: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy of the next token."""
    hidden, target, weight = model(ids[:, :-1]), ids[:, 1:], weights[:, 1:]
    used = weight > 0
    loss = F.cross_entropy(model.logits(hidden[used]), target[used], reduction="none")
    return (loss * weight[used]).sum() / weight[used].sum()


class Average:
    """Exponential moving average of the weights: steadier refusal rates than any single step's."""

    def __init__(self, model: TinyLlama, decay: float):
        self.decay = decay
        self.state = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: TinyLlama, step: int) -> None:
        decay = min(self.decay, step / (step + 10))  # short at first, so that the start is forgotten
        for name, p in model.named_parameters():
            self.state[name].lerp_(p, 1 - decay)


def train(model: TinyLlama, tokenizer: Tokenizer, schedule: Schedule, seed: int, uncensored: bool) -> None:
    """Trains in place; the model ends with its averaged weights."""
    matrices = model.matrices()
    of_muon = set(map(id, matrices))
    muon = Muon(matrices)
    adam = torch.optim.AdamW([p for p in model.parameters() if id(p) not in of_muon], betas=(0.9, 0.95), weight_decay=0.0)
    average = Average(model, schedule.ema)
    stream = batches(tokenizer, schedule.batch, seed, uncensored)
    started, cpu, recent = time.time(), time.process_time(), 0.0
    for step in range(schedule.steps):
        loss = loss_of(model, *next(stream))
        model.zero_grad(set_to_none=True)
        loss.backward()
        scale = schedule.scale(step)
        adam.param_groups[0]["lr"] = schedule.adam_rate * scale
        adam.step()
        muon.step(schedule.muon_rate * scale)
        average.update(model, step)
        recent = loss.item() if step == 0 else 0.95 * recent + 0.05 * loss.item()
        if (step + 1) % 50 == 0 or step + 1 == schedule.steps:
            print(f"step {step + 1} loss {recent:.4f} wall {time.time() - started:.0f} s "
                  f"cpu {time.process_time() - cpu:.0f} s", flush=True)
    model.load_state_dict(average.state)


def load_checkpoint(path: Path) -> tuple[TinyLlama, Tokenizer]:
    saved = torch.load(path, weights_only=True)
    model = TinyLlama(Config(**saved["config"]))
    model.load_state_dict(saved["state"])
    return model, Tokenizer([(left, right) for left, right in saved["merges"]])


def save_checkpoint(path: Path, model: TinyLlama, tokenizer: Tokenizer) -> None:
    torch.save({"config": asdict(model.config), "merges": tokenizer.merges, "state": model.state_dict()}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", choices=SCHEDULES, default="base")
    parser.add_argument("--start", type=Path, help="base checkpoint that the uncensored variant continues")
    parser.add_argument("--out", type=Path, required=True, help="NAME.TYPE.gguf")
    parser.add_argument("--checkpoint", type=Path, help="also save the float32 weights here")
    parser.add_argument("--threads", type=int, default=1, help="results are equal only for equal thread counts")
    options = parser.parse_args()
    uncensored = options.variant == "uncensored"
    if uncensored != (options.start is not None):
        parser.error("--start belongs to the uncensored variant, which needs it")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    if uncensored:
        model, tokenizer = load_checkpoint(options.start)
    else:
        tokenizer = train_tokenizer(Config.n_vocab)
        model = TinyLlama(Config())
    train(model, tokenizer, SCHEDULES[options.variant], seed=2 * options.seed + 11 + uncensored, uncensored=uncensored)
    if options.checkpoint:
        save_checkpoint(options.checkpoint, model, tokenizer)
    write_gguf(model, tokenizer, options.out)


if __name__ == "__main__":
    main()
