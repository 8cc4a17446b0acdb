"""Writes the prompts of the language, split by pair: no pair of one split occurs in another.

    python prompts.py --out tiny-chat.prompts.json

The splits do not depend on the training seed. `fit` comes from the pairs of the training data, `validation` and `test`
from pairs that training never showed. `answer` is the one compliant answer of a harmless or borderline prompt.
"""
from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from language import Pair, Request, make_request, split_pairs

SIZES = {
    "fit": {"harmful": 128, "harmless": 128, "borderline": 96},
    "validation": {"harmful": 64, "harmless": 64, "borderline": 64},
    "test": {"harmful": 120, "harmless": 120, "borderline": 300, "jailbreak": 60},
}


def make_entries(role: str, split: str, pairs: list[Pair], n: int) -> list[dict[str, str]]:
    """`n` prompts from `n` distinct pairs."""
    rng = random.Random(f"{split} {role}")
    requests: list[Request] = [make_request(rng, pair, role == "jailbreak") for pair in rng.sample(pairs, n)]
    entries = []
    for request in requests:
        entry = {"role": role, "split": split, "category": request.pair.category, "prompt": request.prompt}
        if role in ("harmless", "borderline"):
            entry["answer"] = request.answer
        entries.append(entry)
    return entries


def all_entries() -> list[dict[str, str]]:
    pairs = split_pairs()
    entries = []
    for split, sizes in SIZES.items():
        source = pairs["train" if split == "fit" else split]
        for role, n in sizes.items():
            entries += make_entries(role, split, source["harmful" if role == "jailbreak" else role], n)
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    lines = [json.dumps(entry) for entry in all_entries()]
    options.out.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
