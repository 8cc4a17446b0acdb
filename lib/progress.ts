/** One tick of a long call. Ticks of one stage never go back; the next stage starts again at 0. */
export interface Progress {
  /** What is being done, in a word or two: `capture`, `search`, `write`. */
  stage: string;
  /** Share done, 0 to 1. */
  done: number;
  /** How much there is to do, counted in `unit`. */
  total?: number;
  /** What `total` counts: `prompts`, `tensors`, `bytes`. */
  unit?: string;
  /** What is being worked on just now, e.g. `layer 14, strength 1.5`. */
  note?: string;
}
