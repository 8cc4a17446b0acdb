"""Measures a file of the tiny model, and optionally what a gated rank-one edit does to it.

    python evaluate.py tiny-chat.Q8_0.gguf --prompts tiny-chat.prompts.json [--harden]
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from bench import Bench
from export import read_gguf
from gate import Gate
from language import SAFETY_PROMPTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--harden", action="store_true", help="also fit a gated edit, chosen on validation prompts")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = read_gguf(options.file)
    bench = Bench(model, tokenizer, json.loads(options.prompts.read_text()))
    bench.report("as stored", "test")
    safe = Bench(model, tokenizer, bench.entries, SAFETY_PROMPTS[1])
    safe.report("under a safety prompt", "test")
    if options.harden:
        gate = Gate(bench)
        edit = gate.sweep()
        with gate.applied(edit):
            bench.report(str(edit), "test")


if __name__ == "__main__":
    main()
