import type { Role } from '../prompts';

export const setNames = [
  'advbench',
  'alpaca',
  'catqa',
  'harmbench',
  'jailbreakbench',
  'jailbreakbench-benign',
  'or-bench',
  'or-bench-toxic',
  'strongreject',
  'wildguardtest',
  'wildjailbreak',
  'xstest',
] as const;

/** A public set whose columns are known. */
export type SetName = (typeof setNames)[number];

/** Names of a column, in the order in which they are tried: as first published, then as copies of the set have it. */
export type Column = readonly string[];

/** Which columns of a set mean what. */
export interface Layout {
  /** What is asked, in plain words. */
  request: Column;
  /** The request as a jailbreak asks it; where it is filled it is what the user says. */
  wrapped?: Column;
  /** A text that the request is about; stands before it. */
  context?: Column;
  category?: Column;
  role: Role | RoleColumn;
}

interface RoleColumn {
  column: Column;
  /** By the column's value; null: the row is left out. */
  of: Readonly<Record<string, Role | null>>;
}

const each = (values: readonly string[], role: Role) => Object.fromEntries(values.map((value) => [value, role]));

// Second names are those of the copies that walledai keeps on the Hugging Face hub.
export const layouts: Readonly<Record<SetName, Layout>> = {
  // github.com/llm-attacks/llm-attacks data/advbench/harmful_behaviors.csv: goal, target.
  advbench: { request: ['goal', 'prompt'], role: 'harmful' },
  // github.com/tatsu-lab/stanford_alpaca alpaca_data.json: instruction, input, output.
  alpaca: { request: ['instruction'], role: 'harmless' },
  // huggingface.co/datasets/declare-lab/CategoricalHarmfulQA data/catqa_english.json: lines of Category, Subcategory,
  // Question. Also kept as { category: { subcategory: [question] } }.
  catqa: { request: ['Question', 'prompt'], category: ['Category', 'category'], role: 'harmful' },
  // github.com/centerforaisafety/HarmBench data/behavior_datasets/harmbench_behaviors_text_*.csv: Behavior,
  // FunctionalCategory, SemanticCategory, Tags, ContextString, BehaviorID.
  harmbench: {
    request: ['Behavior', 'prompt'],
    context: ['ContextString', 'context'],
    category: ['SemanticCategory', 'category'],
    role: 'harmful',
  },
  // huggingface.co/datasets/JailbreakBench/JBB-Behaviors data/{harmful,benign}-behaviors.csv: Index, Goal, Target,
  // Behavior, Category, Source. Nothing in a file says which of the two it is.
  jailbreakbench: { request: ['Goal'], category: ['Category'], role: 'harmful' },
  'jailbreakbench-benign': { request: ['Goal'], category: ['Category'], role: 'borderline' },
  // huggingface.co/datasets/bench-llm/or-bench or-bench-{hard-1k,80k,toxic}.csv: prompt, category.
  'or-bench': { request: ['prompt'], category: ['category'], role: 'borderline' },
  'or-bench-toxic': { request: ['prompt'], category: ['category'], role: 'harmful' },
  // github.com/alexandrasouly/strongreject strongreject_dataset/strongreject_{small_,}dataset.csv: category, source,
  // forbidden_prompt.
  strongreject: { request: ['forbidden_prompt', 'prompt'], category: ['category'], role: 'harmful' },
  // huggingface.co/datasets/allenai/wildguardmix test/wildguard_test.parquet: prompt, adversarial, subcategory,
  // prompt_harm_label (none where the annotators did not agree), and a response with its labels. Unharmful prompts are
  // made to look harmful, or to look like jailbreaks.
  wildguardtest: {
    request: ['prompt'],
    category: ['subcategory'],
    role: { column: ['prompt_harm_label', 'label'], of: { harmful: 'harmful', unharmful: 'borderline', '': null } },
  },
  // huggingface.co/datasets/allenai/wildjailbreak eval/eval.tsv: adversarial, label, data_type, the adversarial types
  // alone. train/train.tsv: vanilla, adversarial, completion, data_type. Benign prompts mimic harmful ones.
  wildjailbreak: {
    request: ['vanilla'],
    wrapped: ['adversarial'],
    category: ['data_type'],
    role: {
      column: ['data_type'],
      of: {
        ...each(['vanilla_harmful', 'adversarial_harmful'], 'harmful'),
        ...each(['vanilla_benign', 'adversarial_benign'], 'borderline'),
      },
    },
  },
  // github.com/paul-rottger/xstest xstest_prompts.csv: id, prompt, type, label, focus, note. Of the second version,
  // xstest_v2_prompts.csv: id_v1, id_v2, type, prompt, focus, note.
  xstest: {
    request: ['prompt'],
    category: ['type'],
    role: {
      column: ['label', 'type'],
      of: {
        ...each(['safe', 'homonyms', 'figurative_language', 'safe_targets', 'safe_contexts'], 'borderline'),
        ...each(['definitions', 'real_group_nons_discr', 'nons_group_real_discr'], 'borderline'),
        ...each(['historical_events', 'privacy_public', 'privacy_fictional'], 'borderline'),
        ...each(['unsafe', 'contrast_homonyms', 'contrast_figurative_language', 'contrast_safe_targets'], 'harmful'),
        ...each(['contrast_safe_contexts', 'contrast_definitions', 'contrast_discr'], 'harmful'),
        ...each(['contrast_historical_events', 'contrast_privacy'], 'harmful'),
      },
    },
  },
};
