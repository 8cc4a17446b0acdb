import { join } from 'node:path';

import { inChild } from '../helpers/in-child';
import { temporaryFolder } from '../helpers/temporary';
import { tinyModel, type TinyModelOptions } from '../helpers/tiny-model';

const folder = temporaryFolder();
const u32 = (value: number) => ({ uint32: value });
const experts = (count: number, used: number, groups = 0, usedGroups = 0) => ({
  metadata: {
    '@.expert_count': u32(count),
    '@.expert_used_count': u32(used),
    '@.expert_group_count': u32(groups),
    '@.expert_group_used_count': u32(usedGroups),
  },
});
const key = (name: string, value: number) => ({ metadata: { [name]: u32(value) } });
const vocabulary = (...tokens: string[]) => ({
  metadata: { 'tokenizer.ggml.tokens': { array: ['string', tokens] as ['string', string[]] } },
});

/** The engine would end the process for each of these, or divide by zero: most are consistent with all else. */
const refused: [what: string, model: TinyModelOptions, key: string][] = [
  ['no blocks', key('@.block_count', 0), 'llama.block_count'],
  ['a billion blocks', key('@.block_count', 1e9), 'llama.block_count'],
  ['more predicting blocks than blocks', key('@.nextn_predict_layers', 2), 'llama.nextn_predict_layers'],
  ['no context', { nContext: 0 }, 'llama.context_length'],
  ['a context beyond 31 bits', { nContext: 2 ** 31 }, 'llama.context_length'],
  ['no width', key('@.embedding_length', 0), 'llama.embedding_length'],
  ['a width of four billion', key('@.embedding_length', 2 ** 32 - 1), 'llama.embedding_length'],
  ['a giant head count', key('@.attention.head_count', 2 ** 32 - 1), 'llama.attention.head_count'],
  ['4 heads that share 3', { dModel: 64, nHead: 4, nHeadKv: 3 }, 'llama.attention.head_count_kv'],
  ['4 heads that share 8', { dModel: 64, nHead: 4, nHeadKv: 8 }, 'llama.attention.head_count_kv'],
  ['an empty head', key('@.attention.key_length', 0), 'llama.attention.key_length'],
  ['a head of odd size', { dModel: 30, headSize: 15 }, 'llama.rope.dimension_count'],
  [
    'a head of odd size by default',
    { dModel: 30, metadata: { '@.attention.key_length': undefined, '@.rope.dimension_count': undefined } },
    'llama.rope.dimension_count',
  ],
  ['more rotated than a head has', key('@.rope.dimension_count', 18), 'llama.rope.dimension_count'],
  ['an unknown rotation', { metadata: { '@.rope.scaling.type': { string: 'spiral' } } }, 'llama.rope.scaling.type'],
  [
    'a negative epsilon',
    { metadata: { '@.attention.layer_norm_rms_epsilon': { float32: -1 } } },
    'llama.attention.layer_norm_rms_epsilon',
  ],
  [
    'an epsilon that is no number',
    { metadata: { '@.attention.layer_norm_rms_epsilon': { float32: NaN } } },
    'llama.attention.layer_norm_rms_epsilon',
  ],
  ['2000 experts', experts(2000, 2), 'llama.expert_count'],
  ['more experts used than there are', experts(4, 5), 'llama.expert_used_count'],
  ['experts used where there are none', experts(0, 1), 'llama.expert_used_count'],
  ['no expert used', experts(4, 0), 'llama.expert_used_count'],
  ['groups of no experts', experts(0, 0, 2, 1), 'llama.expert_group_count'],
  ['3 groups of 4 experts', experts(4, 2, 3, 1), 'llama.expert_group_count'],
  ['no group used', experts(4, 2, 2, 0), 'llama.expert_group_used_count'],
  ['a token that is there twice', vocabulary('a', 'b', 'a'), 'tokenizer.ggml.tokens'],
  ['tokens that are the same up to a zero byte', vocabulary('a\0b', 'a\0c'), 'tokenizer.ggml.tokens'],
  ["an empty token and its engine's name", vocabulary('[EMPTY_1]', ''), 'tokenizer.ggml.tokens'],
];

/** Not refused by key; the engine's own word decides, and the process lives. */
const survived: [what: string, model: TinyModelOptions, outcome: string][] = [
  ['an ordinary model', {}, 'ok'],
  ['512 blocks', { nLayer: 512, dModel: 2, nHead: 1, nFf: 1 }, 'ok'],
  ['a single number a row', { dModel: 1, nHead: 1, headSize: 2 }, 'ok'],
  ['more heads than numbers', { nHead: 1000, headSize: 2 }, 'ok'],
  // An assertion of the architecture's graph.
  ['half of a head rotated', { architecture: 'qwen2', ...key('@.rope.dimension_count', 8) }, 'ENGINE_FAILED'],
  // An assertion in ggml's C code.
  [
    'heads that differ by block, not the matrices',
    { nLayer: 2, dModel: 64, nHead: 4, metadata: { '@.attention.head_count_kv': { array: ['uint32', [4, 1]] } } },
    'ENGINE_FAILED',
  ],
  ['no vocabulary', { metadata: { 'tokenizer.ggml.model': { string: 'none' } } }, 'ENGINE_FAILED'],
  [
    'no vocabulary of the right size',
    { metadata: { 'tokenizer.ggml.model': { string: 'none' }, '@.vocab_size': u32(262) } },
    'MODEL_UNSUPPORTED',
  ],
  ['fewer tokens than embeddings', vocabulary('a', 'b'), 'ENGINE_FAILED'],
  ['a vocabulary without bytes', vocabulary(...Array.from({ length: 262 }, (_, i) => `word${i}`)), 'ENGINE_FAILED'],
];

const run = `
  for (const path of args) {
    print({ path });
    try {
      const session = await addon.openSession(path, { threads: 1 }, () => {}).done;
      const { addsBos } = addon.sessionInfo(session);
      const tokens = addon.tokenize(session, [{ text: 'ab ab', parseSpecial: false }], addsBos);
      const request = { prompts: [tokens, tokens.slice(1)], threads: 1 };
      const { answers } = await addon.generate(session, { ...request, maxTokens: 2 }, () => {}).done;
      addon.detokenize(session, answers[0]);
      await addon.capture(session, { ...request, streams: ['l_out-0'], writers: [] }, () => {}).done;
      print({ code: 'ok' });
    } catch ({ code, message, details }) {
      print({ code, message, details });
    }
  }`;

type Outcome = { code?: string; message?: string; details?: Record<string, unknown> };

/** All in one process, so that one that dies shows. */
function outcomes(models: readonly TinyModelOptions[]): Outcome[] {
  const paths = models.map((model, i) => tinyModel(model).write(join(folder, `${i}.gguf`)));
  const { lines, signal, stderr } = inChild(run, paths);
  expect({ signal, last: lines.at(-1), stderr }).toMatchObject({ signal: null, last: { code: expect.any(String) } });
  return lines.filter((_, i) => i % 2 === 1) as Outcome[];
}

describe('hyperparameters that would end the process', () => {
  let found: Outcome[];
  beforeAll(() => void (found = outcomes(refused.map(([, model]) => model))));

  test.each(refused.map(([what, , name], i) => [what, name, i] as const))('%s', (_, name, i) => {
    expect(found[i]).toMatchObject({ code: 'GGUF_INVALID', details: { key: name } });
    if (process.env.ROSI_SHOW_MESSAGES) process.stdout.write(`${found[i]!.message}\n`);
  });
});

describe('hyperparameters that are strange', () => {
  let found: Outcome[];
  beforeAll(() => void (found = outcomes(survived.map(([, model]) => model))));

  test.each(survived.map(([what, , code], i) => [what, code, i] as const))('%s', (_, code, i) => {
    expect(found[i]).toMatchObject({ code });
  });
});
