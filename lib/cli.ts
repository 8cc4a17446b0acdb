#!/usr/bin/env node
import { tolerateClosedPipes } from './cli/pipes';
import { run } from './cli/run';
import * as library from './index';

tolerateClosedPipes(process.stdout, process.stderr, (code) => process.exit(code));

void run(process.argv.slice(2), library, {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  exit: (code) => process.exit(code),
}).then((status) => {
  process.exitCode = status;
});
