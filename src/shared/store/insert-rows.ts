import { CompiledQuery, PostgresAdapter, type Transaction } from 'kysely'
import type { Database } from './schema.ts'

/** Rows of one statement at most. */
const most = 64
const texts = new Map<string, string>()

/**
 * Inserts rows that all have the same columns. A query builder walks every single value: in a
 * burst that costs more than the insert itself. Here the text of each statement is made once, for
 * 1, 2, 4 … 64 rows, so that few statements are prepared. `suffix` is an `on conflict` clause.
 */
export async function insertRows<Table extends keyof Database & string> (transaction: Transaction<Database>, table: Table, rows: readonly Database[Table][], suffix = ''): Promise<void> {
  const [first] = rows
  if (first === undefined) return
  const columns = Object.keys(first)
  const numbered = transaction.getExecutor().adapter instanceof PostgresAdapter
  for (let from = 0; from < rows.length;) {
    const count = Math.min(most, 2 ** Math.floor(Math.log2(rows.length - from)))
    const key = `${numbered} ${count} ${table} ${columns.join()} ${suffix}`
    let text = texts.get(key)
    if (text === undefined) texts.set(key, text = textOf(table, columns, count, numbered, suffix))
    const values: unknown[] = []
    for (let index = from; index < from + count; index++) for (const column of columns) values.push((rows[index] as unknown as Record<string, unknown>)[column])
    await transaction.executeQuery(CompiledQuery.raw(text, values))
    from += count
  }
}

function textOf (table: string, columns: string[], count: number, numbered: boolean, suffix: string): string {
  let place = 0
  const row = (): string => `(${columns.map(() => numbered ? `$${++place}` : '?').join(', ')})`
  return `insert into "${table}" (${columns.map(column => `"${column}"`).join(', ')}) values ${Array.from({ length: count }, row).join(', ')} ${suffix}`.trimEnd()
}
