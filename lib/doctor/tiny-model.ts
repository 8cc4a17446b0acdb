import type { KernelProbes } from './kernel-probes';
import { ggufBytes, type EncodedTensor, type GgufValue } from '../outputs/gguf-bytes';
import { blockValues, f32, noise, q4k, q8, type BlockType } from './block-values';

/** Width, of the FFN too, in whole blocks of Q4_K; heads; special tokens, then one for each byte. */
const width = 256;
const nHead = 4;
const nSpecial = 3;
export const nVocab = nSpecial + 256;
const epsilon = 1e-5;

/** A matrix [nIn, nOut], as the file has it and as numbers. */
interface Matrix extends EncodedTensor {
  values: Float32Array;
}

/** A model of one block and random weights, a llama, whose answer to a single token can be computed here. */
export interface TinyModel {
  file: Uint8Array[];
  /** [nVocab], float64: the logits after a prompt of this token alone. */
  logitsAfter(token: number): Float64Array;
}

export function tinyModel(kernels: KernelProbes): TinyModel {
  const tensor = (name: string, type: BlockType, nOut: number, values: Float32Array): Matrix => {
    const bytes = kernels._quantize(type.id, values, width, nOut);
    const shape = nOut === 1 ? [width] : [width, nOut];
    return { name: `${name}.weight`, shape, type: type.id, bytes, values: blockValues(type, bytes) };
  };
  const square = (name: string, type: BlockType) => tensor(name, type, width, noise(width * width, name, 0.1));
  const gain = (name: string) =>
    tensor(
      name,
      f32,
      1,
      noise(width, name, 0.1).map((x) => 1 + x),
    );
  const embedding = noise(width * nVocab, 'tokens');
  embedding.fill(0, 0, nSpecial * width); // so that no answer ends: their logits are 0, and of 256 others one is above
  const model = {
    tokens: tensor('token_embd', f32, nVocab, embedding),
    outputNorm: gain('output_norm'),
    attentionNorm: gain('blk.0.attn_norm'),
    q: square('blk.0.attn_q', q8),
    k: square('blk.0.attn_k', q8),
    v: square('blk.0.attn_v', q8),
    attentionOut: square('blk.0.attn_output', q8),
    ffnNorm: gain('blk.0.ffn_norm'),
    gate: square('blk.0.ffn_gate', q4k),
    up: square('blk.0.ffn_up', q4k),
    down: square('blk.0.ffn_down', q4k),
  };
  const logitsAfter = (token: number): Float64Array => {
    let stream: Float64Array = Float64Array.from(model.tokens.values.subarray(token * width, (token + 1) * width));
    // A token that is alone attends to itself, whatever its query and key.
    stream = sum(stream, times(model.attentionOut, times(model.v, normed(stream, model.attentionNorm))));
    const input = normed(stream, model.ffnNorm);
    const up = times(model.up, input);
    const opened = times(model.gate, input).map((x, i) => (x / (1 + Math.exp(-x))) * up[i]!);
    return times(model.tokens, normed(sum(stream, times(model.down, opened)), model.outputNorm));
  };
  return { file: ggufBytes(metadata(), Object.values(model)), logitsAfter };
}

function metadata(): Record<string, GgufValue> {
  // Types of tokens in GGUF: 2 unknown, 3 control, 6 a byte.
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  return {
    'general.architecture': 'llama',
    'general.name': 'rosi doctor',
    'llama.block_count': { uint32: 1 },
    'llama.context_length': { uint32: 64 },
    'llama.embedding_length': { uint32: width },
    'llama.feed_forward_length': { uint32: width },
    'llama.attention.head_count': { uint32: nHead },
    'llama.attention.head_count_kv': { uint32: nHead },
    'llama.attention.layer_norm_rms_epsilon': { float32: epsilon },
    'llama.rope.dimension_count': { uint32: width / nHead },
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': { strings: ['<unk>', '<s>', '</s>', ...bytes] },
    'tokenizer.ggml.scores': { numbers: Array.from({ length: nVocab }, () => ({ float32: 0 })) },
    'tokenizer.ggml.token_type': { numbers: [2, 3, 3, ...bytes.map(() => 6)].map((int32) => ({ int32 })) },
  };
}

function times({ values }: Matrix, vector: Float64Array): Float64Array {
  return Float64Array.from({ length: values.length / width }, (_, i) =>
    vector.reduce((total, x, j) => total + values[i * width + j]! * x, 0),
  );
}

function normed(vector: Float64Array, { values: gains }: Matrix): Float64Array {
  const meanSquare = vector.reduce((total, x) => total + x * x, 0) / width;
  return vector.map((x, i) => (x / Math.sqrt(meanSquare + epsilon)) * gains[i]!);
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((x, i) => x + b[i]!);
}
