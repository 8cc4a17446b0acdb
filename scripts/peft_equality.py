"""The half of peft-equality.mjs that runs in Python: prints the largest differences, fails when they are no rounding."""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM

request = json.load(sys.stdin)
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load(name):
    path = request[name]
    folder, file = os.path.split(path)
    return AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()


def logits(model):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(3, request["nVocab"], (8, 24), generator=generator)
    with torch.no_grad():
        return model(tokens).logits


def furthest(a, b):
    return (a - b).abs().max().item()


base = load("f32")
before = logits(base)
after = logits(load("edited"))
adapted = PeftModel.from_pretrained(base, request["peft"])
with_adapter = logits(adapted)
merged = logits(adapted.merge_and_unload())
effect = furthest(after, before)
print(f"edit: logits move by up to {effect:.4g}")
print(f"adapter: differs from the edited file by up to {furthest(with_adapter, after):.4g}")
print(f"merged adapter: differs from the edited file by up to {furthest(merged, after):.4g}")
failed = not (effect > 0.1 and max(furthest(with_adapter, after), furthest(merged, after)) < 1e-4 * effect)

# The name that GGUF gives an architecture, where transformers has another.
types = {"command-r": "cohere", "hunyuan-dense": "hunyuan_v1_dense", "phi2": "phi", "gemma3": "gemma3_text"}
sizes = dict(
    num_hidden_layers=2, hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=2, head_dim=16,
    vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, pad_token=0,
)
for architecture, modules in request["modules"].items():
    config = transformers.AutoConfig.for_model(types.get(architecture, architecture), **sizes)
    with torch.device("meta"):
        linear = {
            name: (module.in_features, module.out_features)
            for name, module in AutoModelForCausalLM.from_config(config).named_modules()
            if isinstance(module, torch.nn.Linear)
        }
    missing = [name for name in modules if name not in linear]
    wrong = [name for name, wanted in zip(modules, [32, 64]) if name in linear and linear[name] != (wanted, 32)]
    if missing or wrong:
        failed = True
        print(f"{architecture}: no modules {missing}, other shapes {wrong}; there are {sorted(n for n in linear if '.1.' in n)}")
print(f"{len(request['modules'])} architectures: modules looked up in transformers {transformers.__version__}")
print("not equal" if failed else "equal")
sys.exit(failed)
