// A program that reads prompts, answers them, and ends: what reading-copy.mjs measures. BUILD MODEL PROMPTS.json LOGITS THREADS
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [build, model, prompts, logits, threads] = process.argv.slice(2);
const { ModelSession } = createRequire(import.meta.url)(join(build, 'dist', 'index.js'));
const since = (start) => (performance.now() - start) / 1000;
const loading = performance.now();
const session = await ModelSession.open(model, { threads: Number(threads) });
const load = since(loading);
const tokens = JSON.parse(readFileSync(prompts, 'utf8')).map((prompt) => session.encode(prompt));
const reading = performance.now();
writeFileSync(logits, new Uint8Array((await session.nextTokenLogits(tokens)).buffer));
const read = since(reading);
const answering = performance.now();
const { counts } = await session.generate(tokens, { maxTokens: 32 });
const answer = counts.reduce((a, b) => a + b, 0) / (since(answering) - read); // it reads the prompts again
session.close();
console.log(JSON.stringify({ load, prompt: tokens.reduce((sum, { length }) => sum + length, 0) / read, answer }));
