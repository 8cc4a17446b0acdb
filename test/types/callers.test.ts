import { join } from 'node:path';
import ts from 'typescript';

import { exitCodes } from '../../lib/errors';

const root = join(__dirname, '..', '..');
const header = `import {
  applyPlan, applyUpdate, builtInPrompts, captureActivations, controlPushes, exitCodes, findWriters, generate, harden,
  inspect, jailbreakSuite, labelAnswer, makePlan, readPlan, savePlan, writeControlVector, writeLoraAdapter, writeModelfile, writeOutputs,
  writePeftAdapter, trialUpdate, type PlannedTensor,
  ModelSession, readPrompts, readPromptSet, readSuites, reportMarkdown, reportSummary, RosiError, splitPrompts, verifyUpdate, version,
  type HardenOptions, type HardenReport, type Progress, type PromptSet, type RosiErrorCode, type SplitPrompts, type Suite,
  ggufJudge, judgeAgreement, openAiJudge, readRubric, rubrics, rulesJudge, type Judge, type Rubric,
} from 'rosi';
declare const plan: Parameters<typeof applyUpdate>[1];
declare const session: ModelSession;
`;
const signal = 'const { signal } = new AbortController();';
const prompts = "const prompts = { harmful: ['How?'], harmless: ['Why?'] };";
const codes = Object.keys(exitCodes);
const meaning = (known: readonly string[]) => `function meaning(code: RosiErrorCode): number {
  switch (code) {
    ${known.map((code) => `case '${code}':`).join(' ')} return 1;
    default: { const never: never = code; return never; }
  }
}`;

/** What a caller may write. */
const accepted: Record<string, string> = {
  'harden with a path alone': "const report: HardenReport = await harden('m.gguf');",
  'harden with the built-in prompts': "await harden('m.gguf', undefined, { output: 'o.gguf' });",
  'harden with prompts': `${prompts} await harden('m.gguf', prompts);`,
  'harden with prompts already split': `${prompts} const split: SplitPrompts = { fit: prompts, validation: prompts, test: prompts };
    await harden('m.gguf', split, {});`,
  'every option': `${signal} const options: HardenOptions = {
      output: 'o.gguf', overwrite: true, layer: 3, strength: 1.5, schedule: 'profile', layers: [1, 4],
      rightFactor: 'mean-row', rho: 1, keep: ['My domain.'], maxKl: 0.1, maxOverRefusal: 0.05, maxBenignLoss: 0.02,
      targetHr: 0.95, trials: 60, budget: 120, pick: 3, threads: 1, seed: 7, system: 'Refuse.', maxTokens: 32,
      evaluate: 'none', signal, onProgress: ({ stage, done, total, unit, note }) => {
        const texts: (string | undefined)[] = [stage, unit, note], numbers: (number | undefined)[] = [done, total];
      } };`,
  'options that are undefined':
    "await harden('m.gguf', undefined, { output: undefined, layer: undefined, signal: undefined });",
  'constant layers': 'const layers = [1, 4] as const; const options: HardenOptions = { layers };',
  'fields of the report': `const report = await harden('m.gguf');
    const share: number | undefined = report.after?.harmRefusal.share;
    const hash: string = report.model.sha256, gain: number | undefined = report.tensors[0]?.realised.gain;
    const ok: boolean = report.verified.ok, text: string = reportSummary(report) + reportMarkdown(report);
    const [from, to]: readonly [number, number] = report.edit.layers, kl: number | null = report.kl;`,
  'error codes, all of them': meaning(codes),
  'an error, looked into': `try { await inspect('m.gguf'); } catch (error) {
      if (error instanceof RosiError) { const code: RosiErrorCode = error.code, status: number = exitCodes[error.code];
        const { option }: Readonly<Record<string, unknown>> = error.details; const known: Error = error; } }`,
  'the stages one by one': `${signal} const session = await ModelSession.open('m.gguf', { threads: 1, signal });
    const sample = splitPrompts(builtInPrompts(), { seed: 1 });
    const { writers, leftOut } = await findWriters(session), why: string | undefined = leftOut[0]?.why;
    const activations = await captureActivations(session, sample.fit, writers, { seed: 1 });
    const past = [{ user: 'Hi', assistant: 'Hello.' }], turns = session.encodeConversation({ history: past, user: 'Why?' });
    const tokens: Int32Array = session.encode('Hello'), answers = await session.generate([tokens, turns], { maxTokens: 8 });
    const first: string | undefined = answers.texts[0]; session.close();`,
  'judges and how they agree': `${signal} const items = [{ role: 'harmful', request: 'How?', answer: 'No.' }] as const;
    const own: Rubric = await readRubric('own.txt'), guard = await ggufJudge('g.gguf', { format: 'wildguard', threads: 1, signal });
    const judges: Judge[] = [rulesJudge, guard, openAiJudge({ model: 'm', rubric: own, retries: 0 }),
      openAiJudge({ model: 'm', baseURL: 'http://localhost/v1', rubric: 'labels', request: { seed: 1 } }),
      await ggufJudge('m.gguf', { format: rubrics.strongreject }), await ggufJudge('s.gguf', { policies: ['hate'] })];
    const [first, second] = await Promise.all(judges.map((judge) => judge.judge(items, { signal })));
    const kappa: number = judgeAgreement(first!, second!).declined.kappa, label: string | null = first![0]!.label;
    for (const judge of judges) judge.close?.(); guard.close();`,
  'a trial of a plan': `${signal} const trial = await trialUpdate('m.gguf', plan, { threads: 1, signal });
    const bytes: number = trial.outputBytes, noise: number | null = trial.tensors[0]!.realised.noiseToSignal;`,
  'a planned stack of experts, promoted': `const [left, right] = [new Float32Array(8), new Float32Array(64)];
    const inputs = { meanSquares: new Float32Array(32), responseRms: 1 };
    const tensor: PlannedTensor = { name: 'w', left, right, nExperts: 2, type: 'F16', inputs };
    await applyUpdate('m.gguf', { ...plan, tensors: [tensor] }, { output: 'o.gguf' });`,
  'a plan and its files': `${signal} const saved = await makePlan('m.gguf', undefined, { layer: 3, strength: 1, signal });
    const { plan, provenance: { source, direction } } = saved, files = { overwrite: true, inputs: ['m.gguf'] as const };
    await savePlan('p.json', plan, saved.provenance, files);
    const matches: boolean = (await applyPlan(await readPlan('p.json'), 'm.gguf', { output: 'o.gguf' })).sourceMatches;
    await writeLoraAdapter('l.gguf', source.architecture, plan.tensors);
    await writePeftAdapter('peft', { architecture: source.architecture, baseModel: 'models/m' }, plan.tensors, files);
    await writeControlVector('c.gguf', source.architecture, controlPushes(plan, direction));
    const session = await ModelSession.open('m.gguf'); await writeModelfile('Modelfile', 'm.gguf', session.info);
    const paths: string[] = await writeOutputs({ lora: 'l.gguf', modelfile: 'Modelfile' }, saved, { gguf: 'm.gguf' });`,
  'the other commands': `${signal} const [answer] = await generate('m.gguf', ['Hello'] as const, { maxTokens: 8, signal });
    const text: string | undefined = answer?.text, label: { label: string } = labelAnswer('I cannot help.');
    const ok: boolean = (await verifyUpdate(undefined, 'o.gguf', { signal })).ok;
    const harmful: string[] = await readPrompts('a.txt'), set: PromptSet | SplitPrompts = await readPromptSet('b.json');
    const words: string = version;`,
  'suites from files': `const suites: Suite[] = await readSuites('x.csv', { set: 'xstest', limit: 50 });
    const [plain] = await readSuites('a.txt', { role: 'borderline' }), asked: string | undefined = plain?.items[0]?.user;
    const wrapped: Suite = jailbreakSuite(suites[0]!, ['persona', 'gradual']);
    const session = await ModelSession.open('m.gguf'), tokens = wrapped.items.map((item) => session.encodeConversation(item));`,
};

/** What a caller may not write, and the compiler's number for why. */
const refused: Record<string, [code: string, error: number]> = {
  'harden without a model': ['await harden();', 2554],
  'a model that is no path': ['await harden(42);', 2345],
  'prompts without harmless ones': ["await harden('m.gguf', { harmful: ['How?'] });", 2345],
  'a list of prompts': ["await harden('m.gguf', ['How?']);", 2345],
  'prompts that are no texts': ["await harden('m.gguf', { harmful: [1], harmless: ['Why?'] });", 2322],
  'an option that does not exist': ["await harden('m.gguf', undefined, { strenght: 1 });", 2561],
  'a strength in words': ["await harden('m.gguf', undefined, { strength: 'strong' });", 2322],
  'an unknown right factor': ["await harden('m.gguf', undefined, { rightFactor: 'median' });", 2322],
  'an unknown schedule': ["await harden('m.gguf', undefined, { schedule: 'random' });", 2322],
  'one block for a range': ["await harden('m.gguf', undefined, { layers: [3] });", 2322],
  'null for a default': ["await harden('m.gguf', undefined, { layer: null });", 2322],
  'a signal that is none': ["await harden('m.gguf', undefined, { signal: true });", 2322],
  'a listener for something else': ["await harden('m.gguf', undefined, { onProgress: (done: number) => done });", 2322],
  'a report that is not awaited': ["const { model } = harden('m.gguf');", 2339],
  'a field that the report lacks': ["(await harden('m.gguf')).accuracy;", 2339],
  'the evaluation, which may be missing, unchecked': ["(await harden('m.gguf')).after.harmRefusal;", 2531],
  'an error code that does not exist': ["const code: RosiErrorCode = 'BROKEN';", 2322],
  'a switch that forgets an error code': [meaning(codes.slice(1)), 2322],
  'an error with a code of its own': ["new RosiError('BROKEN', 'broken');", 2345],
  'a change of an error': ["new RosiError('ABORTED', 'stopped').code = 'FILE_FAILED';", 2540],
  'a plan with an output': ["await makePlan('m.gguf', undefined, { output: 'o.gguf' });", 2561],
  'a control vector of the plan itself': ["await writeControlVector('c.gguf', 'llama', plan);", 2345],
  'an output of no known kind': ["await writeOutputs({ gguf: 'o.gguf' }, await readPlan('p.json'));", 2353],
  'an update without an output': ["await applyUpdate('m.gguf', plan, {});", 2345],
  'a rubric that does not exist': ["openAiJudge({ model: 'm', rubric: 'harm' });", 2322],
  'a judge without a model': ["openAiJudge({ baseURL: 'http://localhost/v1' });", 2345],
  'a guard that is not known': ["await ggufJudge('m.gguf', { format: 'rules' });", 2322],
  'a promotion to a type of few bits': ["const type: PlannedTensor['type'] = 'Q4_0';", 2322],
  'a public set that is not known': ["await readSuites('a.csv', { set: 'mmlu' });", 2322],
  'a jailbreak that is not known': ["jailbreakSuite({ name: 'a', role: 'harmful', items: [] }, ['dan']);", 2322],
  'a session made by hand': ['new ModelSession();', 2673],
  'prompts as texts where tokens belong': ["await session.capture(['Hello'], { streams: true, writers: [] });", 2322],
  'answers of any length': ['await session.generate([], {});', 2345],
};

/** As strict as a caller can be; our own declarations are checked with the rest. */
const strict: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts'],
  types: ['node'],
};
const node: ts.CompilerOptions = {
  ...strict,
  module: ts.ModuleKind.Node16,
  moduleResolution: ts.ModuleResolutionKind.Node16,
};
const bundler: ts.CompilerOptions = {
  ...strict,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};

/** The compiler's complaints about files that exist in memory alone, in this package, where `rosi` is its public entry. */
function compile(files: ReadonlyMap<string, string>, options: ts.CompilerOptions): Map<string, ts.Diagnostic[]> {
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.getSourceFile = (path, language, ...rest) =>
    files.has(path) ? ts.createSourceFile(path, files.get(path)!, language) : getSourceFile(path, language, ...rest);
  const program = ts.createProgram([...files.keys()], options, host);
  const found = new Map<string, ts.Diagnostic[]>();
  for (const file of program.getSourceFiles().filter(({ fileName }) => !fileName.includes('/node_modules/'))) {
    found.set(file.fileName, [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]);
  }
  return found;
}

const text = ({ code, messageText }: ts.Diagnostic) => `${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;

// `await` outside a function is for ES modules.
const inFunction = (code: string) => `${header}export async function use() {\n${code}\n}\n`;

describe.each([
  { kind: 'an ES module', extension: 'mts', options: node, entry: 'index.d.mts' },
  { kind: 'a CommonJS module', extension: 'cts', options: node, entry: 'index.d.ts' },
  { kind: 'a bundled module', extension: 'ts', options: bundler, entry: 'index.d.mts' },
])('a caller in $kind', ({ extension, options, entry }) => {
  const path = (name: string) => join(root, 'test', 'types', `${name.replace(/\W+/g, '-')}.${extension}`);
  let found: Map<string, ts.Diagnostic[]>;
  beforeAll(() => {
    const snippets = {
      ...accepted,
      ...Object.fromEntries(Object.entries(refused).map(([name, [code]]) => [name, code])),
    };
    found = compile(new Map(Object.entries(snippets).map(([name, code]) => [path(name), inFunction(code)])), options);
  }, 120_000);

  test('gets the declarations of its kind, without faults', () => {
    const ours = [...found].filter(([file]) => file.startsWith(join(root, 'dist')));
    expect(ours.map(([file]) => file)).toContain(join(root, 'dist', entry));
    expect(ours.flatMap(([, faults]) => faults.map(text))).toEqual([]);
  });

  test.each(Object.keys(accepted))('may write: %s', (name) => {
    expect(found.get(path(name))!.map(text)).toEqual([]);
  });

  test.each(Object.entries(refused))('may not write: %s', (name, [, error]) => {
    expect(found.get(path(name))!.map(text)).toEqual([expect.stringMatching(`^${error}: `)]);
  });
});
