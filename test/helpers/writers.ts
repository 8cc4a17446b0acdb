import { native, type SessionHandle, type Task } from '../../lib/native';

/** What native/engine/writers_check.h found; null: not a finite number. */
export interface WritersCheck {
  /** The graph that ran has the writers of the graph that was only built. */
  sameGraph: boolean;
  /** Two runs gave the same bits, the second while nodes were read. */
  repeatable: boolean;
  /** How far the output head's input moves when all other matrices change while every writer writes zero. */
  remainder: number | null;
  movedBy: string;
  writers: {
    name: string;
    prediction: 'exact' | 'parallel' | 'wrong' | 'still';
    error: number | null;
    change: number | null;
    adapter: 'equal' | 'scaled' | 'ignored' | 'different' | 'refused';
    adapterError: number | null;
    adapterRatio: number | null;
  }[];
}

/** Pushes each writer's output while the model runs and compares the stream with the prediction, then with an adapter. */
export const checkWriters = (session: SessionHandle, tokens: Int32Array, seed: number): Promise<WritersCheck> =>
  (
    native as unknown as { _checkWriters(s: SessionHandle, t: Int32Array, seed: number): Task<WritersCheck> }
  )._checkWriters(session, tokens, seed).done;
