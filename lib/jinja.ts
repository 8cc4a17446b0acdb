// The package declares types for its ES module build alone; this file lets CommonJS code use them.
import type * as Jinja from '@huggingface/jinja' with { 'resolution-mode': 'import' };

// eslint-disable-next-line @typescript-eslint/no-require-imports
export const { Environment, Interpreter, Template } = require('@huggingface/jinja') as typeof Jinja;
export type Program = Jinja.Template['parsed'];
