import { tinyGguf, type TinyGguf, type TinyTensor, type TinyValue } from './tiny-gguf';

/** Token types of GGUF. */
const normal = 1;
const unknown = 2;
const control = 3;
const byte = 6;

export interface TinyModelOptions {
  architecture?: string;
  nLayer?: number;
  dModel?: number;
  nHead?: number;
  nHeadKv?: number;
  /** Weights of a head, of queries and keys, and of values. Default: dModel / nHead. */
  headSize?: number;
  valueSize?: number;
  nFf?: number;
  nContext?: number;
  /** Whether a norm follows each sublayer, as in gemma2. */
  postNorms?: boolean;
  /** Experts in place of the one FFN; two are in use. */
  nExperts?: number;
  /** Whether a gated expert that is always in use stands beside them, as in qwen2moe. */
  sharedExpert?: boolean;
  /** Whether the output head has a matrix of its own. */
  head?: boolean;
  /** Pieces beside `<unk>`, `<s>`, `</s>` and the 256 bytes; earlier ones are preferred. `▁` is a space. */
  pieces?: readonly string[];
  /** Added or, with undefined, left out. `@` at the beginning of a key is the architecture. */
  metadata?: Record<string, TinyValue | undefined>;
}

/**
 * A model of random weights with a SentencePiece vocabulary. Its tensors have the shapes that its hyperparameters ask
 * for, however strange those are, so that nothing but the hyperparameters can be wrong with it.
 */
export function tinyModel(options: TinyModelOptions = {}): TinyGguf {
  const { architecture = 'llama', nLayer = 1, dModel = 32, nHead = 2, nFf = 32, nContext = 64 } = options;
  const { nHeadKv = nHead, headSize = Math.floor(dModel / nHead), valueSize = headSize } = options;
  const tokens: [text: string, score: number, type: number][] = [
    ['<unk>', 0, unknown],
    ['<s>', 0, control],
    ['</s>', 0, control],
    ...Array.from({ length: 256 }, (_, i): [string, number, number] => [
      `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`,
      0,
      byte,
    ]),
    ...(options.pieces ?? ['▁', 'a', 'b']).map((text, i): [string, number, number] => [text, -i, normal]),
  ];
  const metadata: Record<string, TinyValue | undefined> = {
    'general.architecture': { string: architecture },
    '@.block_count': { uint32: nLayer },
    '@.context_length': { uint32: nContext },
    '@.embedding_length': { uint32: dModel },
    '@.feed_forward_length': { uint32: nFf },
    '@.attention.head_count': { uint32: nHead },
    '@.attention.head_count_kv': { uint32: nHeadKv },
    '@.attention.key_length': { uint32: headSize },
    '@.attention.value_length': { uint32: valueSize },
    '@.attention.layer_norm_rms_epsilon': { float32: 1e-5 },
    '@.rope.dimension_count': { uint32: headSize },
    ...(options.nExperts === undefined
      ? {}
      : { '@.expert_count': { uint32: options.nExperts }, '@.expert_used_count': { uint32: 2 } }),
    'tokenizer.ggml.model': { string: 'llama' },
    'tokenizer.ggml.tokens': { array: ['string', tokens.map(([text]) => text)] },
    'tokenizer.ggml.scores': { array: ['float32', tokens.map(([, score]) => score)] },
    'tokenizer.ggml.token_type': { array: ['int32', tokens.map(([, , type]) => type)] },
    ...options.metadata,
  };
  const matrix = (name: string, nIn: number, nOut: number): TinyTensor => ({ name, type: 'F32', shape: [nIn, nOut] });
  const vector = (name: string, n = dModel): TinyTensor => ({ name, type: 'F32', shape: [n] });
  const ffn = (name: string, end = ''): TinyTensor[] => [
    matrix(`${name}.ffn_gate${end}.weight`, dModel, nFf),
    matrix(`${name}.ffn_up${end}.weight`, dModel, nFf),
    matrix(`${name}.ffn_down${end}.weight`, nFf, dModel),
  ];
  const experts = (name: string, n: number): TinyTensor[] => [
    matrix(`${name}.ffn_gate_inp.weight`, dModel, n),
    ...ffn(name, '_exps').map(({ shape, ...tensor }): TinyTensor => ({ ...tensor, shape: [...shape, n] })),
    ...(options.sharedExpert ? [vector(`${name}.ffn_gate_inp_shexp.weight`), ...ffn(name, '_shexp')] : []),
  ];
  const block = (name: string): TinyTensor[] => [
    vector(`${name}.attn_norm.weight`),
    matrix(`${name}.attn_q.weight`, dModel, nHead * headSize),
    matrix(`${name}.attn_k.weight`, dModel, nHeadKv * headSize),
    matrix(`${name}.attn_v.weight`, dModel, nHeadKv * valueSize),
    matrix(`${name}.attn_output.weight`, nHead * valueSize, dModel),
    vector(`${name}.ffn_norm.weight`),
    ...(options.nExperts === undefined ? ffn(name) : experts(name, options.nExperts)),
    ...(options.postNorms
      ? [vector(`${name}.post_attention_norm.weight`), vector(`${name}.post_ffw_norm.weight`)]
      : []),
  ];
  return tinyGguf({
    metadata: Object.fromEntries(
      Object.entries(metadata).flatMap(([key, value]) =>
        value === undefined ? [] : [[key.replace('@', architecture), value]],
      ),
    ),
    tensors: [
      matrix('token_embd.weight', dModel, tokens.length),
      vector('output_norm.weight'),
      ...(options.head ? [matrix('output.weight', dModel, tokens.length)] : []),
      ...Array.from({ length: nLayer }, (_, i) => block(`blk.${i}`)).flat(),
    ],
  });
}
