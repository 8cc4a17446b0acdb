/**
 * One tick of a long call. A stage may go through its prompts several times, as the search does once a candidate: `done`
 * then starts again at 0, and `note` says of what. Within a round it never goes back.
 */
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
