// A program that answers prompts and ends: what answers.mjs measures. MODEL PROMPTS.json MOST-TOKENS THREADS
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { root } from '../lay-out-engine.mjs';

const { ModelSession } = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));
const [model, file, maxTokens, threads] = process.argv.slice(2);
const session = await ModelSession.open(model, { threads: Number(threads) });
const prompts = JSON.parse(readFileSync(file, 'utf8')).map((user) => session.encode(user));
const start = performance.now();
const { counts } = await session.generate(prompts, { maxTokens: Number(maxTokens) });
const answering = (performance.now() - start) / 1000;
console.log(JSON.stringify({ answering, answered: counts.reduce((sum, count) => sum + count, 0) }));
session.close();
