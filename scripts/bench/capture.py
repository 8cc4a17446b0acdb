"""The same by transformers: capture.py MODEL.gguf TOKENS.json THREADS. The batch size is the fastest of a few."""
import json
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

path, tokens, threads = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), int(sys.argv[3])
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
kept: list[torch.Tensor] = []
ends = torch.empty(0)
for block in model.model.layers:
    def keep(_module, _inputs, output):
        stream = output[0] if isinstance(output, tuple) else output
        kept.append(stream[torch.arange(len(ends)), ends].clone())
    block.register_forward_hook(keep)


def read(prompts, size):
    """In batches of prompts of about one length."""
    global ends
    ordered = sorted(prompts, key=len)
    start = time.perf_counter()
    for first in range(0, len(ordered), size):
        batch = ordered[first : first + size]
        longest = max(map(len, batch))
        ids = torch.tensor([one + [0] * (longest - len(one)) for one in batch])
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in batch])
        ends = torch.tensor([len(one) - 1 for one in batch])
        with torch.inference_mode():
            model.model(input_ids=ids, attention_mask=mask, use_cache=False)
    return time.perf_counter() - start


best = min((1, 4, 16), key=lambda size: read(tokens[:16], size))
kept.clear()
print(json.dumps({"reading": read(tokens, best), "rows": len(kept)}))
