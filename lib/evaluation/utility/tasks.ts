import { RosiError } from '../../errors';
import { invalid, readRows, type Row } from '../../file-rows';
import {
  choiceTaskNames,
  type ChoiceMetric,
  type ChoiceQuestion,
  type ChoiceTask,
  type ChoiceTaskName,
} from './question';
import { QuestionRecord } from './record';
import { truthfulExamples } from './truthful-examples';

/** How a task's records are read and asked. */
interface Layout {
  /** The set as published. */
  fields: readonly string[];
  metrics: readonly ChoiceMetric[];
  /** `examples`: of each category, what comes before its questions. */
  question(record: QuestionRecord, examples?: ReadonlyMap<string, string>): ChoiceQuestion;
}

export interface ReadTaskOptions {
  /** MMLU alone: the file of its `dev` split, whose questions of the same subject come first, with their answers. */
  examples?: string | undefined;
  /** How many of them. Default 5, with `examples`; 0 without. */
  shots?: number | undefined;
}

// Prompts, choices and what is right are those of lm-evaluation-harness at commit 4e7e0d4, lm_eval/tasks/: the files named
// below. It joins a context and a choice by a space, examples by an empty line (lm_eval/config/task.py).
const layouts: Record<ChoiceTaskName, Layout> = {
  // mmlu/default/_default_template_yaml; the description of mmlu_<subject>.yaml. cais/mmlu
  mmlu: {
    fields: ['question', 'subject', 'choices', 'answer'],
    metrics: ['acc'],
    question(record, examples) {
      const subject = record.text('subject');
      const own = examples?.get(subject);
      if (examples !== undefined && own === undefined) throw record.fault(`the examples have none of ${subject}`);
      const about = `The following are multiple choice questions (with answers) about ${subject.replaceAll('_', ' ')}.\n\n`;
      const { context, ...question } = lettered(record);
      return { ...question, context: about + (own ?? '') + context, category: subject };
    },
  },
  // hellaswag/hellaswag.yaml, utils.py. Rowan/hellaswag
  hellaswag: {
    fields: ['activity_label', 'ctx_a', 'ctx_b', 'endings', 'label'],
    metrics: ['acc', 'acc_norm'],
    question(record) {
      const scene = `${record.text('ctx_a')} ${capitalised(record.text('ctx_b'))}`;
      const choices = record.texts('endings').map(withoutArtifacts);
      return {
        context: withoutArtifacts(`${record.text('activity_label')}: ${scene}`),
        choices,
        right: only(record.index('label', choices.length), choices.length),
      };
    },
  },
  arc_easy: arc(),
  arc_challenge: arc(),
  // super_glue/boolq/default.yaml. aps/super_glue (boolq) or, with `answer` for `label`, google/boolq
  boolq: {
    fields: ['question', 'passage', 'label'],
    metrics: ['acc'],
    question(record) {
      const yes = record.has('answer') ? record.truth('answer') : record.index('label', 2) === 1;
      return {
        context: `${record.text('passage')}\nQuestion: ${record.text('question')}?\nAnswer:`,
        choices: ['no', 'yes'],
        right: [!yes, yes],
      };
    },
  },
  truthfulqa_mc1: truthful('mc1'),
  truthfulqa_mc2: truthful('mc2'),
};

/** arc/arc_easy.yaml, arc_challenge.yaml. allenai/ai2_arc (ARC-Easy, ARC-Challenge) */
function arc(): Layout {
  return {
    fields: ['question', 'choices', 'answerKey'],
    metrics: ['acc', 'acc_norm'],
    question(record) {
      const choices = record.texts('choices.text');
      const key = record.texts('choices.label').indexOf(record.text('answerKey'));
      if (key < 0 || key >= choices.length) throw record.fault('answerKey is none of choices.label');
      return {
        context: `Question: ${record.text('question')}\nAnswer:`,
        choices,
        right: only(key, choices.length),
      };
    },
  };
}

/** truthfulqa/truthfulqa_mc1.yaml, truthfulqa_mc2.yaml, utils.py. truthfulqa/truthful_qa (multiple_choice) */
function truthful(metric: 'mc1' | 'mc2'): Layout {
  return {
    fields: ['question', 'mc1_targets', 'mc2_targets'],
    metrics: [metric],
    question(record) {
      const choices = record.texts(`${metric}_targets.choices`);
      return {
        context: `${truthfulExamples}\n\nQ: ${record.text('question')}\nA:`,
        choices,
        right: record.marks(`${metric}_targets.labels`, choices.length),
      };
    },
  };
}

/**
 * Reads the questions of a task from a file as its set is published on the hub, in any format that prompts are
 * read from; in a table, a cell with a list or an object holds it as JSON. They are
 * asked as lm-evaluation-harness asks them: without examples, but for TruthfulQA, whose six are part of it, and for MMLU
 * when `examples` are given.
 *
 * @throws RosiError `FILE_FAILED`; `PROMPTS_INVALID` with `path`, `item` or `line`, and the fields `expected` and `found`;
 *   `OPTION_INVALID`.
 */
export async function readChoiceTask(
  name: ChoiceTaskName,
  path: string,
  options: ReadTaskOptions = {},
): Promise<ChoiceTask> {
  if (!choiceTaskNames.includes(name)) {
    const message = `task must be one of ${choiceTaskNames.join(', ')}; got ${String(name)}`;
    throw new RosiError('OPTION_INVALID', message, { task: name });
  }
  const shots = checkShots(name, options);
  const { fields, metrics, question } = layouts[name];
  const rows = await readRecords(path);
  const examples = shots === 0 ? undefined : await readExamples(options.examples!, fields, shots);
  return { name, metrics, questions: rows.map((row) => question(new QuestionRecord(row, fields), examples)) };
}

function checkShots(name: ChoiceTaskName, { examples, shots }: ReadTaskOptions): number {
  const refuse = (message: string) => new RosiError('OPTION_INVALID', message, { task: name, shots, examples });
  if (shots !== undefined && (!Number.isInteger(shots) || shots < 0)) {
    throw refuse(`shots must be an integer from 0; got ${shots}`);
  }
  if (examples === undefined) {
    if ((shots ?? 0) > 0) throw refuse(`shots are taken from the file of examples, which is missing`);
    return 0;
  }
  if (name !== 'mmlu') throw refuse(`examples are for mmlu; ${name} has none of its own that are fixed`);
  return shots ?? 5;
}

async function readRecords(path: string): Promise<Row[]> {
  const content = await readRows(path);
  if (!('rows' in content)) throw invalid('it must be a list of questions', { path });
  if (content.rows.length === 0) throw invalid('there are no questions in it', { path });
  return content.rows;
}

/** Of each subject its first `shots` examples with their answers. */
async function readExamples(path: string, fields: readonly string[], shots: number): Promise<Map<string, string>> {
  const of = new Map<string, string[]>();
  for (const row of await readRecords(path)) {
    const record = new QuestionRecord(row, fields);
    const { context, choices, right } = lettered(record);
    const subject = record.text('subject');
    of.set(subject, [...(of.get(subject) ?? []), `${context} ${choices[right.indexOf(true)]!}\n\n`]);
  }
  for (const [subject, known] of of) {
    if (known.length >= shots) continue;
    const message = `it has ${known.length} examples of ${subject}; ${shots} are needed`;
    throw invalid(message, { path }, undefined, { subject, shots });
  }
  return new Map([...of].map(([subject, known]) => [subject, known.slice(0, shots).join('')]));
}

/** A question of MMLU without its description. */
function lettered(record: QuestionRecord): ChoiceQuestion {
  const letters = ['A', 'B', 'C', 'D'];
  const answers = record.texts('choices');
  if (answers.length !== letters.length) throw record.fault(`choices has ${answers.length} texts instead of 4`);
  const listed = letters.map((letter, i) => `${letter}. ${answers[i]!}\n`).join('');
  return {
    context: `${record.text('question').trim()}\n${listed}Answer:`,
    choices: letters,
    right: only(record.index('answer', letters.length), letters.length),
  };
}

function only(index: number, length: number): boolean[] {
  return Array.from({ length }, (_, i) => i === index);
}

/** The first letter large and all others small, as Python's str.capitalize() has it. */
function capitalised(text: string): string {
  const [first = ''] = text;
  return first.toUpperCase() + text.slice(first.length).toLowerCase();
}

/** Brackets are left over from the WikiHow part of HellaSwag. */
function withoutArtifacts(text: string): string {
  return text
    .trim()
    .replaceAll(' [title]', '. ')
    .replace(/\[[^\n]*?\]/gu, '')
    .replaceAll('  ', ' ');
}
