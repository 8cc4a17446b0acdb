"""Writes the model as GGUF and reads it back."""
from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from torch import Tensor

from model import Config, TinyLlama
from tokenizer import CHAT_TEMPLATE, SPECIAL_TOKENS, Tokenizer

FILE_TYPES = {
    "F16": (Type.F16, gguf.LlamaFileType.MOSTLY_F16),
    "Q8_0": (Type.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "Q4_0": (Type.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}


def file_type(path: Path) -> str:
    """The type that a name like NAME.Q8_0.gguf states."""
    for name in FILE_TYPES:
        if f".{name}." in path.name:
            return name
    raise ValueError(f"{path.name} names no type: use NAME.TYPE.gguf with a TYPE of {', '.join(FILE_TYPES)}")


def _write_header(writer: gguf.GGUFWriter, config: Config, tokenizer: Tokenizer) -> None:
    writer.add_vocab_size(config.n_vocab)
    writer.add_context_length(config.n_context)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(config.d_ffn)
    writer.add_head_count(config.n_heads)
    writer.add_head_count_kv(config.n_kv_heads)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    writer.add_rope_dimension_count(config.d_head)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if token in SPECIAL_TOKENS else gguf.TokenType.NORMAL
                            for token in tokenizer.tokens])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer.merges])
    writer.add_bos_token_id(tokenizer.id["<|endoftext|>"])
    writer.add_eos_token_id(tokenizer.id["<|im_end|>"])
    writer.add_pad_token_id(tokenizer.id["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_gguf(model: TinyLlama, tokenizer: Tokenizer, path: Path) -> None:
    """Writes matrices in the type that the file's name states and norms in F32."""
    tensor_type, ftype = FILE_TYPES[file_type(path)]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.name.split(".")[0])
    writer.add_license("MIT")
    writer.add_file_type(ftype)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _write_header(writer, model.config, tokenizer)
    for name, parameter in model.named_parameters():
        values = parameter.detach().numpy()
        if values.ndim == 2:
            writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, tensor_type), raw_dtype=tensor_type)
        else:
            writer.add_tensor(f"{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_gguf(path: Path) -> tuple[TinyLlama, Tokenizer]:
    """The model with its stored weights as float32, and its tokenizer."""
    reader = gguf.GGUFReader(path)
    merges = [tuple(merge.split(" ")) for merge in reader.fields["tokenizer.ggml.merges"].contents()]
    model = TinyLlama(Config())
    state: dict[str, Tensor] = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        state[tensor.name.removesuffix(".weight")] = torch.from_numpy(np.array(values, dtype=np.float32))
    model.load_state_dict(state)
    return model, Tokenizer(merges)
