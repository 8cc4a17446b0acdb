import { seededRandom } from '../../lib/random';
import { tinyGguf, type TinyGguf, type TinyTensor } from './tiny-gguf';

/** A model with recurrent state: two blocks of mamba with random weights, large enough for its logits to differ. */
export function tinyMamba(): TinyGguf {
  const [dModel, dInner, dState, rank, kernel, nContext] = [32, 64, 8, 4, 4, 128];
  const random = seededRandom(3, 'tiny-mamba');
  const tensor = (name: string, shape: number[], size: number, offset = 0): TinyTensor => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: count }, () => offset + size * (2 * random() - 1));
    return { name, type: 'F32', shape, bytes: Buffer.from(values.buffer) };
  };
  const tokens = ['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, i) => `<0x${hex(i)}>`)];
  const block = (name: string): TinyTensor[] => [
    tensor(`${name}.attn_norm.weight`, [dModel], 0, 1),
    tensor(`${name}.ssm_in.weight`, [dModel, 2 * dInner], 0.3),
    tensor(`${name}.ssm_conv1d.weight`, [kernel, dInner], 0.5),
    tensor(`${name}.ssm_conv1d.bias`, [dInner], 0.1),
    tensor(`${name}.ssm_x.weight`, [dInner, rank + 2 * dState], 0.3),
    tensor(`${name}.ssm_dt.weight`, [rank, dInner], 0.3),
    tensor(`${name}.ssm_dt.bias`, [dInner], 0.1),
    tensor(`${name}.ssm_a`, [dState, dInner], 0.4, -0.5),
    tensor(`${name}.ssm_d`, [dInner], 0.1, 1),
    tensor(`${name}.ssm_out.weight`, [dInner, dModel], 0.5),
  ];
  return tinyGguf({
    metadata: {
      'general.architecture': { string: 'mamba' },
      'mamba.block_count': { uint32: 2 },
      'mamba.context_length': { uint32: nContext },
      'mamba.embedding_length': { uint32: dModel },
      'mamba.feed_forward_length': { uint32: 0 },
      'mamba.attention.head_count': { uint32: 0 },
      'mamba.attention.layer_norm_rms_epsilon': { float32: 1e-5 },
      'mamba.ssm.conv_kernel': { uint32: kernel },
      'mamba.ssm.inner_size': { uint32: dInner },
      'mamba.ssm.state_size': { uint32: dState },
      'mamba.ssm.time_step_rank': { uint32: rank },
      'tokenizer.ggml.model': { string: 'llama' },
      'tokenizer.ggml.tokens': { array: ['string', tokens] },
      'tokenizer.ggml.scores': { array: ['float32', tokens.map(() => 0)] },
      'tokenizer.ggml.token_type': { array: ['int32', tokens.map((_, i) => [2, 3, 3][i] ?? 6)] },
    },
    tensors: [
      tensor('token_embd.weight', [dModel, tokens.length], 1),
      tensor('output_norm.weight', [dModel], 0, 1),
      ...block('blk.0'),
      ...block('blk.1'),
    ],
  });
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}
