/** A Parquet file of columns, Snappy as most public sets are. */
export async function parquetFile(columns: Readonly<Record<string, unknown[]>>): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer'); // is there as an ES module only
  const columnData = Object.entries(columns).map(([name, data]) => ({ name, data }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
