"""Prints which batch size is the fastest: batch_size.py MODEL.gguf PROMPTS.json THREADS"""
import json
import sys
from pathlib import Path

from transformers_streams import Streams

path, prompts, threads = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), int(sys.argv[3])
print(Streams(path, threads).fastest_size(prompts["harmful"]))
