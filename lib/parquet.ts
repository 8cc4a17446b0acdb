/**
 * The rows of a Parquet file, uncompressed or compressed with Snappy, as most public sets are.
 *
 * @param maxBytes - Most bytes of its columns when they are no longer compressed.
 * @param maxRows - In every other format a row costs a byte or more; here a few bytes can stand for any number of equal
 *   rows. Default 2^22: the largest public set of prompts has 262 thousand.
 * @throws Error saying what is wrong with it.
 */
export async function readParquet(
  bytes: Buffer,
  maxBytes: number,
  maxRows = 2 ** 22,
): Promise<Record<string, unknown>[]> {
  const { parquetMetadata, parquetReadObjects } = await import('hyparquet'); // is there as an ES module only
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const metadata = parquetMetadata(file);
  if (metadata.num_rows > maxRows) throw new Error(`it has ${metadata.num_rows} rows; prompt files end at ${maxRows}`);
  let size = 0;
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data } of columns) size += Number(meta_data?.total_uncompressed_size ?? 0);
  }
  if (size > maxBytes) throw new Error(`it has ${size} bytes uncompressed; prompt files end at ${maxBytes}`);
  return parquetReadObjects({ file, metadata });
}
