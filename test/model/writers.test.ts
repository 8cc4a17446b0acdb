import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { native, type NativeWriterReport, type SessionHandle } from '../../lib/native';
import { checkWriters, type WritersCheck } from '../helpers/writers';
import { tinyChat } from '../helpers/tiny-chat';

const open = (path: string) => native.openSession(path, { threads: 1 }, () => {}).done;
// Few enough for every test vocabulary; a prime, so that nothing else in a model counts as many.
const tokens = Int32Array.from({ length: 11 }, (_, i) => (i * 37 + 5) % 101);

describe('writers of the tiny chat model', () => {
  let session: SessionHandle;
  let report: NativeWriterReport;
  let check: WritersCheck;
  beforeAll(async () => {
    session = await open(tinyChat);
    report = await native.findWriters(session).done;
    check = await checkWriters(session, tokens, 1);
  });
  afterAll(() => native.closeHandle(session));

  test('are the attention output and the FFN down of each of its 6 layers, each written as it is', () => {
    const expected = Array.from({ length: 6 }, (_, layer) => [
      { name: `blk.${layer}.attn_output.weight`, layer, kind: 'attention output', nIn: 256 },
      { name: `blk.${layer}.ffn_down.weight`, layer, kind: 'FFN down', nIn: 512 },
    ]).flat();
    expect(report.writers).toHaveLength(12);
    expect(report.writers).toMatchObject(expected);
    for (const writer of report.writers)
      expect(writer).toMatchObject({
        class: 'direct',
        factor: 1,
        nOut: 256,
        nExperts: 1,
        path: [],
        gains: [],
        uses: 1,
      });
  });

  test('explain every layer, and nothing else writes', () => {
    expect(report.unknown).toEqual([]);
    expect(report.lookups).toEqual([]);
    expect(report.layers.map((layer) => layer.covered)).toEqual(Array(6).fill(true));
    expect(check.remainder).toBe(0);
  });

  test('leave the stream at the nodes that the architecture names', () => {
    expect(report.layers.map((layer) => layer.stream)).toEqual([0, 1, 2, 3, 4, 5].map((layer) => `l_out-${layer}`));
    for (const layer of report.layers) expect(layer).toMatchObject({ stable: true, nStreams: 1 });
    expect(report.end).toBe('result_norm');
  });

  test('move the stream as predicted, and a run-time adapter does the same', () => {
    expect(check).toMatchObject({ sameGraph: true, repeatable: true });
    for (const writer of check.writers) {
      expect(writer).toMatchObject({ prediction: 'exact', adapter: 'equal' });
      expect(writer.change).toBeGreaterThan(0.1);
      expect(writer.error).toBeLessThan(2e-6); // float32 sums of a stream 3 times as long as the push
    }
  });

  test('are the same when only the metadata of the file is read', async () => {
    const without = <T extends object>(writer: T) => ({ ...writer, adapter: null });
    expect(await native.findWritersInFile(tinyChat).done).toEqual({
      ...report,
      writers: report.writers.map(without),
      embedding: without(report.embedding!),
    });
  });

  test('the check refuses one token', async () => {
    await expect(checkWriters(session, tokens.subarray(0, 1), 1)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});

// The engine's own test program fills such a folder: test-llama-archs --out FOLDER.
const folder = process.env.ROSI_TEST_ARCHS;
if (folder === undefined) {
  console.log('writers of every architecture: skipped, ROSI_TEST_ARCHS names no folder of GGUF files');
  test.skip('writers of every architecture', () => {});
} else {
  const files = readdirSync(folder).filter((name) => name.endsWith('.gguf'));
  test.each(files)(
    '%s: each writer moves the stream as its path says, and its adapter as the graph says',
    async (name) => {
      const session = await open(join(folder, name));
      try {
        const report = await native.findWriters(session).done;
        const check = await checkWriters(session, tokens, 1);
        expect(check).toMatchObject({ sameGraph: true, repeatable: true });
        const editable = report.writers.filter((writer) => writer.class !== 'unsupported').map((writer) => writer.name);
        const checks = check.writers.filter((result) => editable.includes(result.name));
        expect(checks.filter((result) => result.prediction !== 'exact')).toEqual([]);
        for (const { name, adapter } of checks) {
          const way = report.writers.find((writer) => writer.name === name)!.adapter;
          expect({ name, adapter }).toEqual({ name, adapter: way?.honoured ? 'equal' : 'ignored' });
        }
      } finally {
        native.closeHandle(session);
      }
    },
  );

  test('what is not understood is named, with its layer', async () => {
    // In this file's graph SiLU of the normed stream itself is added: its layers have experts in name only.
    const report = await native.findWritersInFile(join(folder, 'refact-moe.gguf')).done;
    expect(report.unknown.map(({ operation, layer }) => [operation, layer])).toEqual([
      ['SILU', 1],
      ['SILU', 0],
    ]);
    expect(report.layers.map((layer) => layer.covered)).toEqual([false, false]);
  });
}
