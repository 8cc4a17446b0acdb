import { RosiError } from './errors';
import type { Inspection } from './native';

/** A matrix whose output is added to the residual stream. */
export interface Writer {
  name: string;
  layer: number;
  kind: 'attention output' | 'FFN down';
  type: string;
  nIn: number;
  nOut: number;
}

const kinds: Record<string, Writer['kind']> = { attn_output: 'attention output', ffn_down: 'FFN down' };

// Tensors that show that a block writes to the stream in another way than the two kinds above do.
const otherWays =
  /^blk\.\d+\.(post_.*norm|ffn_post_norm|.*_exps|.*_shexp|ssm_.*|shortconv.*|time_mix.*|channel_mix.*|attn_output_[ab]|laurel.*|attn_post_norm|attn_output\.scale|ffn_down\.scale|layer_output_scale)/;

// Architectures whose graphs scale what the matrices write by a constant that no tensor shows.
const scaled = new Set([
  'granite',
  'granite_swa',
  'granitemoe',
  'granitehybrid',
  'minicpm',
  'minicpm3',
  'cohere2moe',
  'grok',
]);

/**
 * The writers of a model: attention output and FFN down of every block.
 *
 * @throws RosiError `TENSOR_UNSUPPORTED` naming a writer whose type can't be updated.
 * @throws RosiError `MODEL_UNSUPPORTED` naming the tensor or block that is not understood: norms after a sublayer,
 *   experts, recurrent blocks and scaled residuals are refused rather than edited wrongly.
 */
export function findWriters(file: Inspection): Writer[] {
  const architecture = String(file.metadata['general.architecture'] ?? 'unknown');
  const refuse = (why: string, details: Record<string, unknown>) => {
    throw new RosiError('MODEL_UNSUPPORTED', `the ${architecture} architecture is not supported: ${why}`, {
      architecture,
      ...details,
    });
  };
  if (scaled.has(architecture)) refuse('it scales what its blocks write to the residual stream', {});
  const nLayer = Number(file.metadata[`${architecture}.block_count`]);
  if (!Number.isInteger(nLayer) || nLayer < 1) refuse(`its metadata has no ${architecture}.block_count`, {});
  const writers: Writer[] = [];
  for (const tensor of file.tensors) {
    if (otherWays.test(tensor.name))
      refuse(`${tensor.name} writes to the residual stream in a way this version can't edit`, { tensor: tensor.name });
    const match = /^blk\.(\d+)\.(attn_output|ffn_down)\.weight$/.exec(tensor.name);
    if (match === null) continue;
    if (!tensor.canUpdate) {
      throw new RosiError(
        'TENSOR_UNSUPPORTED',
        `${tensor.name} has type ${tensor.type}, which can't be updated in place: use a quantisation of Q2_K to Q8_0, F16, BF16 or F32`,
        { tensor: tensor.name, type: tensor.type },
      );
    }
    const [nIn = 0, nOut = 0] = tensor.shape;
    writers.push({
      name: tensor.name,
      layer: Number(match[1]),
      kind: kinds[match[2] as string]!,
      type: tensor.type,
      nIn,
      nOut,
    });
  }
  for (let layer = 0; layer < nLayer; ++layer) {
    const found = writers.filter((writer) => writer.layer === layer).length;
    if (found !== 2)
      refuse(`block ${layer} has ${found} of the 2 matrices expected to write to the residual stream`, { layer });
  }
  return writers
    .filter((writer) => writer.layer < nLayer)
    .sort((a, b) => a.layer - b.layer || a.name.localeCompare(b.name));
}
