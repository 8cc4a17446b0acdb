"""The paper's edit by transformers, for rank_one.py: job.py MODEL.gguf PROMPTS.json LAYER STRENGTH THREADS BATCH FACTORS.json

PROMPTS: {harmful, harmless}, lists of tokens. left = strength times the unit difference of the classes' means after block LAYER, right
the mean row of each matrix that writes to the stream.
"""
import json
import sys
from pathlib import Path

from transformers_streams import Streams

path, prompts, layer = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), int(sys.argv[3])
strength, threads, batch, out = float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]), Path(sys.argv[7])
streams = Streams(path, threads)
harmful, harmless = prompts["harmful"], prompts["harmless"]
rows, _ = streams.read(harmful + harmless, batch)
difference = rows[: len(harmful), layer].mean(0) - rows[len(harmful) :, layer].mean(0)
left = (strength * difference / difference.norm()).tolist()
factors = []
for i, block in enumerate(streams.blocks):
    for name, matrix in ("attn_output", block.self_attn.o_proj), ("ffn_down", block.mlp.down_proj):
        right = matrix.weight.detach().mean(0).tolist()
        factors.append({"name": f"blk.{i}.{name}.weight", "left": left, "right": right})
out.write_text(json.dumps(factors))
