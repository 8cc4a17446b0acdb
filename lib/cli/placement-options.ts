import type { Command } from 'commander';

import type { PlacementOptions } from '../placement';
import { number } from './arguments';

export type PlacementFlags = Pick<PlacementOptions, 'gpuLayers'> & { rpc?: string[] };

/** Which processors, and which other machines and GPUs. */
export function addPlacementOptions(command: Command): Command {
  return command
    .option('--threads <n>', 'processors to use (default: the fastest number, measured)', number)
    .option(
      '--rpc <servers>',
      'run the model on these RPC servers of the engine, HOST:PORT,...; trusted networks only: docs/devices.md',
      (text: string) => text.split(',').map((server) => server.trim()),
    )
    .option(
      '--gpu-layers <n>',
      'blocks to run on the servers, or without on GPUs (default: all with --rpc, else 0)',
      number,
    );
}
