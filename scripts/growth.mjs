// What is left of an edit in the finished file when the file may grow by so much: against the same edit applied exactly
// while the model runs, on the prompts of the validation split.
//   node scripts/growth.mjs MODEL.gguf... --layer 14 --strength 1.8 [--growth 0,0.02,0.1] [--right-factor gated]
//     [--layers first-last] [--harmful FILE --harmless FILE] [--types Q8_0,Q4_K,...|all] [--threads 1]
// With --types each model is first written in these types by the engine's own quantiser, into the temporary folder.
// Prints a Markdown table. n/s: rounding noise beside the wanted output, worst tensor and root mean square over tensors.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { builtInPrompts, inspect, ModelSession, readPrompts, splitPrompts, trialUpdate } = load('index');
const { draftUpdate } = load('update');
const { findEdit } = load('find-edit');
const { promoteNoisy, requiredTypes } = load('precision');
const { FidelityCheck } = load('fidelity');
const { resolveOptions } = load('options');
const { StageClock } = load('clock');

const { values, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    layer: { type: 'string' },
    layers: { type: 'string' },
    strength: { type: 'string' },
    growth: { type: 'string', default: '0,0.02,0.1' },
    'right-factor': { type: 'string', default: 'gated' },
    harmful: { type: 'string' },
    harmless: { type: 'string' },
    types: { type: 'string' },
    threads: { type: 'string', default: '1' },
  },
});
// The engine's numbers of file types.
const fileTypes = { Q8_0: 7, Q6_K: 18, Q5_K: 16, Q5_0: 8, Q5_1: 9, Q4_K: 14, Q4_0: 2, Q4_1: 3 };
Object.assign(fileTypes, { IQ4_NL: 25, IQ4_XS: 30, MXFP4: 38, Q3_K: 11, Q2_K: 10 });

if (models.length === 0 || values.layer === undefined || values.strength === undefined)
  throw new Error('name at least one GGUF file, --layer and --strength');
const threads = Number(values.threads);
const given =
  values.harmful === undefined
    ? builtInPrompts()
    : { harmful: await readPrompts(values.harmful), harmless: await readPrompts(values.harmless) };
const sample = splitPrompts(given, { seed: 0 });
const options = {
  layer: Number(values.layer),
  strength: Number(values.strength),
  layers: values.layers?.split('-').map(Number),
  rightFactor: values['right-factor'],
  uncensored: false,
  maxGrowth: 1e9, // not bounded before the budgets are
  threads,
};

const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)} %`;
console.log(
  '| model | growth allowed | file grew | promoted | n/s worst, rms | shift exact, file | first-token refusal: original, exact, file | KL exact to file |\n' +
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
);
const types = values.types === 'all' ? Object.keys(fileTypes) : values.types?.split(',');
const quantised = join(tmpdir(), `growth-${process.pid}-source.gguf`);
const trials = models.flatMap((model) => (types ?? [null]).map((type) => ({ given: model, type })));
for (const { given, type } of trials) {
  const model = type === null ? given : quantised;
  if (type !== null)
    createRequire(import.meta.url)('node-gyp-build')(root)._engineQuantize(given, quantised, fileTypes[type], threads);
  const file = await inspect(model);
  const session = await ModelSession.open(model, { threads });
  const settings = { ...resolveOptions(model, options), threads };
  const { plan, direction } = await findEdit(session, file, sample, settings, new StageClock());
  const check = await FidelityCheck.begin(session, sample.validation, plan, direction);
  session.close();
  const required = requiredTypes(file, plan, options.maxGrowth);
  const trial = await trialUpdate(model, required.plan, { threads });
  for (const maxGrowth of values.growth.split(',').map(Number)) {
    const precision = promoteNoisy(file, required, trial.tensors, maxGrowth);
    const output = join(tmpdir(), `growth-${process.pid}.gguf`);
    const draft = await draftUpdate(model, precision.plan, { output, threads, overwrite: true });
    const edited = await ModelSession.open(draft.path, { threads });
    const { shift, refusal, kl } = await check.compare(edited);
    edited.close();
    draft.discard();
    const noise = draft.written.tensors.map(({ realised }) => realised.noiseToSignal ?? 0);
    const rms = Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0) / noise.length);
    const cells = [
      basename(given) + (type === null ? '' : ` in ${type}`),
      percent(maxGrowth, 1),
      percent((draft.written.outputBytes - draft.written.sourceBytes) / draft.written.sourceBytes),
      `${precision.promotions.length} of ${plan.tensors.length}`,
      `${Math.max(...noise).toFixed(2)}, ${rms.toFixed(2)}`,
      `${shift.exact.toFixed(3)}, ${shift.file.toFixed(3)}`,
      [refusal.original, refusal.exact, refusal.file].map((value) => value.toFixed(3)).join(', '),
      kl.toFixed(4),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
rmSync(quantised, { force: true });
