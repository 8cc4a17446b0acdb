# The edit as one would write it with numpy: every touched tensor dequantised, changed and written as float32.
#   rank_one.py MODEL.gguf FACTORS.json OUT.gguf      FACTORS: [{name, left, right}]
import json
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

model, factors, out = sys.argv[1:]
with open(factors) as file:
    edits = {edit["name"]: edit for edit in json.load(file)}
reader = GGUFReader(model)
writer = GGUFWriter(out, reader.fields["general.architecture"].contents())
for field in reader.fields.values():
    if field.name.startswith("GGUF.") or field.name == "general.architecture":
        continue
    kind = field.types[0]
    writer.add_key_value(field.name, field.contents(), kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
for tensor in reader.tensors:
    edit = edits.get(tensor.name)
    if edit is None:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        continue
    values = dequantize(tensor.data, tensor.tensor_type)
    values += np.outer(np.float32(edit["left"]), np.float32(edit["right"]))
    writer.add_tensor(tensor.name, values, raw_dtype=GGMLQuantizationType.F32)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
