import type { Streams } from './context';

export interface Interrupt {
  signal: AbortSignal;
  /** Exit status for the signal that came, undefined when none did. */
  status(): number | undefined;
  /** Stops listening. */
  end(): void;
}

// 128 + the number of the signal, as shells count.
const statusOf = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * The first Ctrl-C stops the work, which then removes what it has half written; a second one ends the process at once.
 */
export function listenForInterrupt({ signals, stderr, exit }: Streams, beforeMessage: () => void): Interrupt {
  const controller = new AbortController();
  let status: number | undefined;
  const listenerFor = (name: keyof typeof statusOf) => () => {
    if (controller.signal.aborted) {
      exit(statusOf[name]);
      return;
    }
    status = statusOf[name];
    beforeMessage();
    stderr.write('rosi: stopping; once more to stop at once\n');
    controller.abort();
  };
  const listeners = { SIGINT: listenerFor('SIGINT'), SIGTERM: listenerFor('SIGTERM') };
  for (const [name, listener] of Object.entries(listeners)) signals.on(name, listener);
  return {
    signal: controller.signal,
    status: () => status,
    end: () => {
      for (const [name, listener] of Object.entries(listeners)) signals.off(name, listener);
    },
  };
}
