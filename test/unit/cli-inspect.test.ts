import { RosiError } from '../../lib/errors';
import { finished, foundWriters, inspection, library } from '../helpers/command';
import { sampleReport } from '../helpers/report';

describe('rosi inspect', () => {
  test('says what is in the file', async () => {
    const { out } = await finished(['inspect', 'm.gguf']);
    expect(out).toContain('GGUF v3, 4.70 MB');
    expect(out).toContain('yes, through 2 matrices');
    expect(out).toMatch(/^F16 +1 +12\.8 kB$/mu);
    expect(out).toMatch(/^Q8_0 +2 +13\.1 kB$/mu);
    expect(out).toContain('tiny \\u001b[2J');
    expect(out).not.toContain('\u001b');
  });
  test('says why a model can not be hardened', async () => {
    const refusal = new RosiError('MODEL_UNSUPPORTED', 'block 0 adds something else');
    const no = library({ findWritersInFile: () => Promise.reject(refusal) });
    const { out, status } = await finished(['inspect', 'm.gguf', '--writers'], no);
    expect(status).toBe(0);
    expect(out).toMatch(/can be hardened +no: block 0 adds something else/u);
    expect(JSON.parse((await finished(['inspect', 'm.gguf', '--json'], no)).out)).toMatchObject({
      refused: refusal.message,
    });
  });
  test('says by how much the file grows for types that can not be updated', async () => {
    const tensors = inspection.tensors.map((tensor) => ({ ...tensor, canUpdate: false }));
    const fixed = library({ inspect: () => Promise.resolve({ ...inspection, tensors }) });
    const { out } = await finished(['inspect', 'm.gguf'], fixed);
    expect(out).toMatch(/can be hardened +yes, through 2 matrices .*; the file grows by up to 0\.\d %/u);
  });
  test('lists the writers, their way to the stream and what is left out', async () => {
    const leftOut = [{ name: 'blk.1.x.weight', layer: 1, why: 'a clamp follows' }];
    const some = library({ findWritersInFile: () => Promise.resolve({ ...foundWriters, leftOut }) });
    const { out } = await finished(['inspect', 'm.gguf', '--writers'], some);
    expect(out).toMatch(/^0 +blk\.0\.attn_output\.weight +attention output +Q8_0 +64 x 64 +direct +yes$/mu);
    expect(out).toMatch(/128 x 64 +norm, gain blk\.0\.post_ffw_norm\.weight, times 0\.25 +yes$/mu);
    expect(out).toMatch(/^ +token_embd\.weight .*direct \(it is the output head, too\) +yes, with --embeddings$/mu);
    expect(out).toMatch(/^blk\.1\.x\.weight is left out: a clamp follows$/mu);
    expect(out).toMatch(/yes, through 2 matrices .*; 1 more are left out/u);
  });
  test('says what made a hardened file', async () => {
    const metadata = { ...inspection.metadata, 'rosi.version': '0.1.0', 'rosi.plan': '{"layer":4}' };
    const { out } = await finished(
      ['inspect', 'm.gguf'],
      library({ inspect: () => Promise.resolve({ ...inspection, metadata }) }),
    );
    expect(out).toContain('yes, version 0.1.0: {"layer":4}');
  });
  test('lists tensors and metadata when asked', async () => {
    const { out } = await finished(['inspect', 'm.gguf', '--tensors', '--metadata']);
    expect(out).toMatch(/^blk\.0\.ffn_down\.weight +Q8_0 +128 x 64 +8704$/mu);
    expect(out).toMatch(/^llama\.block_count +1$/mu);
  });
  test('prints JSON', async () => {
    expect(JSON.parse((await finished(['inspect', 'm.gguf', '--json'])).out)).toEqual({
      ...inspection,
      ...foundWriters,
    });
  });
});

describe('rosi verify', () => {
  test('takes a file alone or after its source', async () => {
    const lib = library();
    expect((await finished(['verify', 'out.gguf'], lib)).out).toBe(
      'ok: 1 tensor changed as planned, the rest has the checksum it was written with\n',
    );
    expect((await finished(['verify', 'in.gguf', 'out.gguf'], lib)).out).toBe(
      "ok: 1 tensor changed as planned, every other byte is the source's\n",
    );
    expect(lib.calls.map((call) => call.args.slice(0, 2))).toEqual([
      [undefined, 'out.gguf'],
      ['in.gguf', 'out.gguf'],
    ]);
    expect(await finished(['verify', 'a', 'b', 'c'])).toMatchObject({ status: 2 });
    expect(await finished(['verify'])).toMatchObject({ status: 2 });
  });
  test('names every difference and exits with 9', async () => {
    const found = {
      ok: false,
      checksumOk: false,
      sourceMatches: false,
      tensors: [
        { name: 'blk.0.ffn_down.weight', sha256Ok: false, changedBytes: 3 },
        { name: 'fine', sha256Ok: true, changedBytes: 3 },
      ],
      unplannedDifferences: [{ where: 'token_embd.weight', firstOffset: 4711, bytes: 1 }],
      unchanged: ['blk.1.x'],
      recomputed: null,
    };
    const lib = library({ verifyUpdate: () => Promise.resolve(found) });
    expect(await finished(['verify', 'in.gguf', 'out.gguf'], lib)).toMatchObject({
      status: 9,
      err: '',
      out: [
        'NOT ok: 5 problems',
        '  SOURCE is not the file that OUTPUT was made from',
        '  the checksum over the file does not match',
        "  blk.1.x is said to be changed and equals the source's",
        '  blk.0.ffn_down.weight was changed after hardening',
        '  token_embd.weight differs from the source in 1 byte, the first at offset 4711 of the file',
        '',
      ].join('\n'),
    });
    const { out, status } = await finished(['verify', 'out.gguf', '--json'], lib);
    expect({ status, out: JSON.parse(out) as unknown }).toEqual({ status: 9, out: found });
  });
});

describe('rosi verify --plan', () => {
  const { realised } = sampleReport().tensors[0]!;
  test('says that the update was computed again', async () => {
    const recomputed = [{ name: 't', equal: true, realised: { ...realised, gain: 0.9994 } }];
    const found = { ...(await library().verifyUpdate('s', 'o', {})), recomputed };
    const lib = library({ verifyUpdate: () => Promise.resolve(found) });
    const { out, status } = await finished(['verify', 's.gguf', 'o.gguf', '--plan', 'p.json'], lib);
    expect(status).toBe(0);
    expect(out).toMatch(/\nthe plan makes the same of the source once more: realised gain 0\.999 to 0\.999\n$/u);
    expect(lib.calls[0]).toMatchObject({ name: 'readPlan', args: ['p.json'] });
  });
  test('names what the plan would make otherwise', async () => {
    const found = { ...(await library().verifyUpdate('s', 'o', {})), ok: false };
    const other = { ...found, recomputed: [{ name: 't', equal: false, realised }] };
    const lib = library({ verifyUpdate: () => Promise.resolve(other) });
    expect((await finished(['verify', 's.gguf', 'o.gguf', '--plan', 'p.json'], lib)).out).toMatch(
      /NOT ok: 1 problem\n {2}t is not what the plan makes of the source's\n/u,
    );
  });
});
