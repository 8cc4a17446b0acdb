import { dirname, relative, resolve, sep } from 'node:path';

import { RosiError } from '../errors';
import type { NativeModelInfo } from '../native';
import { oneLine } from '../text';
import { version } from '../version';
import { goTemplate } from './go-template';
import { OtherForm, readTurns } from './turns';
import { type FileOptions, writeWhole } from './whole-file';

/** What a Modelfile needs to know of the model; `session.info` is one. */
export type ModelfileInfo = Pick<NativeModelInfo, 'chatTemplate' | 'bosText' | 'eosText' | 'addsBos' | 'controlTokens'>;

export interface ModelfileOptions extends FileOptions {
  /** System text for every conversation. Default none. */
  system?: string | undefined;
}

/**
 * Writes a Modelfile for `ollama create`: FROM with the path of the GGUF from where the Modelfile is, TEMPLATE mapped
 * from the model's own where that can be done faithfully, and otherwise a comment with the reason, SYSTEM, and the
 * texts that end a turn as stop parameters.
 *
 * @throws RosiError `OPTION_INVALID` for a path or system text that a Modelfile can't hold, `TEMPLATE_FAILED`,
 *   `OUTPUT_EXISTS`, `FILE_FAILED`.
 */
export async function writeModelfile(
  path: string,
  gguf: string,
  info: ModelfileInfo,
  options: ModelfileOptions = {},
): Promise<void> {
  const { system, overwrite, inputs = [] } = options;
  const text = modelfile(pathFrom(dirname(path), gguf), info, system);
  await writeWhole(path, [text], { overwrite, inputs: [...inputs, gguf] });
}

/** The text of a Modelfile. */
export function modelfile(from: string, info: ModelfileInfo, system?: string): string {
  const mapped = mapTemplate(info);
  const lines = [`# Made by rosi ${version}: ollama create NAME -f THIS_FILE`, `FROM ${from}`];
  if ('template' in mapped) lines.push(`TEMPLATE ${quote(mapped.template, 'the template')}`);
  else
    lines.push(
      `# No TEMPLATE: ${oneLine(mapped.why)}.`,
      "# Ollama then takes its own template for the file's chat template where it knows that.",
    );
  if (system !== undefined && system.trim() !== '') lines.push(`SYSTEM ${quote(system, 'system')}`);
  for (const stop of stopTexts(info, 'toUser' in mapped ? mapped.toUser : '')) {
    lines.push(`PARAMETER stop ${quote(stop, 'a stop text')}`);
  }
  return `${lines.join('\n')}\n`;
}

function mapTemplate(info: ModelfileInfo): { template: string; toUser: string } | { why: string } {
  const { chatTemplate, bosText, eosText, addsBos } = info;
  if (chatTemplate === null || chatTemplate.trim() === '') return { why: 'the model has no chat template' };
  try {
    const turns = readTurns(chatTemplate, { bosToken: bosText, eosToken: eosText });
    // Ollama's tokeniser puts it there.
    const bare = (text: string) =>
      addsBos && bosText !== '' && text.startsWith(bosText) ? text.slice(bosText.length) : text;
    const template = goTemplate({ ...turns, head: bare(turns.head), systemHead: bare(turns.systemHead) });
    if (template.includes('"""')) return { why: "the model's template writes three quotes in a row" };
    return { template, toUser: turns.toUser };
  } catch (error) {
    if (error instanceof OtherForm) return { why: `the model's template ${error.message}` };
    throw error;
  }
}

/** The token that ends a sequence and what the template ends an answer with. */
function stopTexts({ eosText, controlTokens }: ModelfileInfo, toUser: string): string[] {
  const after = toUser.trimStart();
  const token = controlTokens.filter((text) => text !== '' && after.startsWith(text)).sort(longestFirst)[0];
  // A template without control tokens ends an answer with the name of the next speaker.
  const words = after.split('\n')[0]!.trim();
  return [...new Set([eosText, token ?? words])].filter((text) => text.trim() !== '' && !text.includes('"""'));
}

const longestFirst = (a: string, b: string) => b.length - a.length;

function pathFrom(folder: string, gguf: string): string {
  const path = relative(resolve(folder), resolve(gguf)).split(sep).join('/');
  if (/[\r\n]/u.test(path)) {
    throw new RosiError('OPTION_INVALID', 'a Modelfile can not name a path with a line end: rename the GGUF', {
      option: 'gguf',
      path: gguf,
    });
  }
  return path.startsWith('../') || resolve(path) === path ? path : `./${path}`;
}

/** Between quotes as Ollama's parser reads them: it knows no escapes. */
function quote(text: string, what: string): string {
  if (text.includes('"""')) {
    throw new RosiError('OPTION_INVALID', `a Modelfile can not hold three quotes in a row, and ${what} has them`, {
      option: what,
    });
  }
  return /["\r\n]/u.test(text) ? `"""${text}"""` : `"${text}"`;
}
