"""The streams by transformers: capture.py MODEL.gguf TOKENS.json THREADS. The batch size is the fastest of a few."""
import json
import sys
from pathlib import Path

from transformers_streams import Streams

path, tokens, threads = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), int(sys.argv[3])
streams = Streams(path, threads)
rows, seconds = streams.read(tokens, streams.fastest_size(tokens))
print(json.dumps({"reading": seconds, "rows": len(rows)}))
