/** Time and memory of one stage of a run. */
export interface StageTime {
  stage: string;
  seconds: number;
  /** Highest resident memory of the process until the stage's end, MiB. */
  peakMiB: number;
}

/** Measures stages; time spent in a stage of the same name adds up. */
export class StageClock {
  readonly stages: StageTime[] = [];

  async time<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      let entry = this.stages.find((other) => other.stage === stage);
      if (entry === undefined) this.stages.push((entry = { stage, seconds: 0, peakMiB: 0 }));
      entry.seconds += (performance.now() - start) / 1000;
      entry.peakMiB = process.resourceUsage().maxRSS / 1024;
    }
  }
}
