// The addon exports exactly the members of `interface NativeAddon` in lib/native.ts.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './lay-out-engine.mjs';

const file = join(root, 'lib', 'native.ts');
const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
const contract = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === 'NativeAddon');
if (!contract) throw new Error('lib/native.ts has no interface NativeAddon');
const typed = contract.members.map((member) => member.name.getText(source).replaceAll("'", ''));
// Names with an underscore are for tests: lib/doctor/kernel-probes.ts and test/helpers type them.
const exported = Object.keys(createRequire(import.meta.url)('node-gyp-build')(root)).filter(
  (name) => !name.startsWith('_'),
);

const faults = [
  ...exported.filter((name) => !typed.includes(name)).map((name) => `${name} is exported but not in NativeAddon`),
  ...typed.filter((name) => !exported.includes(name)).map((name) => `${name} is in NativeAddon but not exported`),
];
for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? `exports: ${exported.length} names, all typed` : `exports: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
