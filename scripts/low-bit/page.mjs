// docs/low-bit.md from measurements.
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

/** Numbers beside each other: |a b|. */
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

export default function lowBitPage({ types, deltas, heldOutTypes, rows, promotions, used, mean }) {
  const of = (type, delta, way) => rows.filter((row) => row.type === type && row.delta === delta && row.way === way);
  const average = (chosen, name) => mean(chosen.map((row) => row[name]));
  const measured = types.filter(({ name }) => of(name, deltas[0], 'gated').length > 0);
  const arrival = measured.flatMap(({ name }) =>
    deltas.map((delta) => {
      const [plain, nearest, ours] = ['requantise', 'nearest', 'gated'].map((way) => of(name, delta, way));
      const mode = ours.every((row) => row.mode === 'refit')
        ? ', new grid'
        : ours.some((row) => row.mode === 'refit')
          ? ', partly new'
          : '';
      return [
        `${name} (${ours.length})`,
        percent(delta) + mode,
        ...[plain, nearest].map(
          (way) => `${average(way, 'gain').toFixed(3)}, ${average(way, 'collateral').toFixed(2)}`,
        ),
        `${average(ours, 'gain').toFixed(4)}, ${average(ours, 'collateral').toFixed(2)}`,
        average(ours, 'offDirection').toFixed(3),
        average(ours, 'columnError').toFixed(4),
        percent(average(ours, 'flipped')),
      ];
    }),
  );
  const noise = measured.map(({ name }) => [
    name,
    ...['gated', 'mean-row'].flatMap((factor) =>
      deltas.map((delta) => average(of(name, delta, factor), 'noiseToSignal').toFixed(2)),
    ),
  ]);
  const geometric = (values) => Math.exp(mean(values.map(Math.log)));
  const heldOut = heldOutTypes.flatMap((name) =>
    ['gated', 'mean-row'].map((factor) => [
      `${name} ${factor}`,
      ...deltas.map((delta) => {
        const chosen = of(name, delta, factor);
        const better = chosen.filter(({ aware, blind }) => aware < blind).length;
        const ratio = geometric(chosen.map(({ aware, blind }) => aware / blind));
        return `${average(chosen, 'blind').toFixed(2)} → ${average(chosen, 'aware').toFixed(2)}, x ${ratio.toFixed(2)} (${better})`;
      }),
      geometric(
        deltas.flatMap((delta) => of(name, delta, factor)).map(({ aware, noiseToSignal }) => aware / noiseToSignal),
      ).toFixed(2),
    ]),
  );
  const promoted = promotions.map(({ model, kind, count, own, ...ways }) => [
    model,
    `${count} ${kind}`,
    `${own}: ${ways.same.noise.toFixed(2)} at ${percent(ways.same.delta, 2)}`,
    ...['Q8_0', 'F16'].map((type) =>
      ways[type] === undefined
        ? '–'
        : `${ways[type].noise.toFixed(3)}, ${(ways[type].bytes / 1e6).toFixed(1)} MB, ${percent(ways[type].share)}`,
    ),
  ]);
  return `# Rank-one updates in quantised types

Made by \`node scripts/low-bit.mjs MODEL...\`, one thread, ${new Date().toISOString().slice(0, 10)}. Matrices: ${used.join(', ')}; their values in the file plus
0.5 % of noise, then each type by the engine's quantiser. s, r and inputs from 24 harmful, 24 harmless and 16 borderline
built-in prompts. Types of 256 weights a block only where the width allows it; the number of matrices is in brackets.

## What arrives

An update s rᵀ, r gated, of a share *delta* of the matrix's norm. *requantise*: added, and quantised anew by the engine; *nearest*: added,
and the nearest codes on the old grid; *rosi*: what this library writes. First the *gain*, the share of the update that
arrives (1 is exact), then the *collateral*, the norm of what is changed beside it in units of the update. *off*: what an
input along r pushes beside s; *columns*: error of the columns' pushes along s; *changed*: weights that have another value.
Means over the matrices; native/kernels/rank_one.h defines each number.

${table(['type', 'delta', 'requantise', 'nearest', 'rosi', 'off', 'columns', 'changed'], arrival)}

## Noise to signal on real inputs

Root mean square of the noise that rounding adds to the matrix's output, over that of the push, on the harmful prompts'
inputs (docs/method.md, \`noiseToSignal\`). Above 1 the matrix's own push drowns in noise; over many matrices pushes add up and noises don't.

${table(['type', ...['gated', 'mean-row'].flatMap((factor) => deltas.map((delta) => `${factor} ${percent(delta)}`))], noise)}

## Flips where inputs are quiet

Where a plan has the mean squares of the inputs, columns with loud inputs repay less of what their row lacks, and quiet ones
more (native/kernels/unit_update.h): the same bytes, the same pushes, and less of the noise in the output. Noise to
signal on 24 harmful prompts that nothing was fitted on, each input by itself: without and with the mean squares, the mean ratio,
and how many of ${of(heldOutTypes[0], deltas[0], 'gated').length} matrices it helps. Last, how far the measurement is above \`noiseToSignal\`, which is an estimate from the fitting prompts.

${table(['type, r', ...deltas.map((delta) => percent(delta)), 'held out / estimate'], heldOut)}

## Its own type or a larger one

All writers of a file at strength 1, gated: median noise to signal (in its own type with the median delta), and what a larger
type adds to the file.

${table(['model', 'matrices', 'own type', 'Q8_0', 'F16'], promoted)}
`;
}
