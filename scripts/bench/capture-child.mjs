// A program that reads streams and ends: what capture.mjs measures. MODEL PROMPTS.json THREADS
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { root } from '../lay-out-engine.mjs';

const { captureActivations, ModelSession } = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));
const [model, file, threads] = process.argv.slice(2);
const prompts = { borderline: [], ...JSON.parse(readFileSync(file, 'utf8')) };
const session = await ModelSession.open(model, { threads: Number(threads) });
const start = performance.now();
const { streams } = await captureActivations(session, prompts, [], { seed: 0, positions: false });
console.log(JSON.stringify({ reading: (performance.now() - start) / 1000, rows: streams.harmful.count }));
session.close();
