"""A GGUF in transformers, and the streams after its blocks by forward hooks."""
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


class Streams:
    def __init__(self, path: Path, threads: int):
        torch.set_num_threads(threads)
        self.model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
        self.blocks = self.model.model.layers
        self.kept: list[torch.Tensor] = []
        self.ends = torch.empty(0)
        for block in self.blocks:
            block.register_forward_hook(self._keep)

    def _keep(self, _module, _inputs, output):
        stream = output[0] if isinstance(output, tuple) else output
        self.kept.append(stream[torch.arange(len(self.ends)), self.ends].clone())

    def read(self, prompts: list[list[int]], size: int) -> tuple[torch.Tensor, float]:
        """At the last tokens, [prompts, blocks, width], in batches of prompts of about one length; and the seconds."""
        self.kept.clear()
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        start = time.perf_counter()
        for first in range(0, len(order), size):
            batch = [prompts[i] for i in order[first : first + size]]
            longest = max(map(len, batch))
            ids = torch.tensor([one + [0] * (longest - len(one)) for one in batch])
            mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in batch])
            self.ends = torch.tensor([len(one) - 1 for one in batch])
            with torch.inference_mode():
                self.model.model(input_ids=ids, attention_mask=mask, use_cache=False)
        seconds = time.perf_counter() - start
        n = len(self.blocks)
        batches = [torch.stack(self.kept[i : i + n], dim=1) for i in range(0, len(self.kept), n)]
        streams = torch.empty_like(torch.cat(batches))
        streams[order] = torch.cat(batches)
        return streams, seconds

    def fastest_size(self, prompts: list[list[int]]) -> int:
        return min((1, 4, 16), key=lambda size: self.read(prompts[:16], size)[1])
