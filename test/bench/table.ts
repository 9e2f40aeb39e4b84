import type { Row } from './measure.ts'

/** Rows as aligned text. */
export function table (title: string, rows: Row[]): string {
  const lines = cells(rows)
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map(line => line[column]!.length))) ?? []
  const body = lines.map(line => `  ${line.map((cell, column) => column === 0 || column === line.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join('  ').trimEnd()}`)
  return `${title}\n${body.join('\n')}\n`
}

/** Rows as a Markdown table. */
export function markdown (title: string, rows: Row[]): string {
  const [head, ...lines] = cells(rows)
  if (head === undefined) return `**${title}**\n`
  const line = (columns: string[]): string => `| ${columns.join(' | ')} |`
  return [`**${title}**`, '', line(head), line(head.map((_, column) => column === 0 || column === head.length - 1 ? '---' : '---:')), ...lines.map(line), ''].join('\n')
}

function cells (rows: Row[]): string[][] {
  if (rows.length === 0) return []
  const columns = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))]
  return [
    ['', ...columns, 'aim'],
    ...rows.map(({ what, values, aim }) => [what, ...columns.map(column => String(values[column] ?? '')), aim === undefined ? '' : `${aim.met ? '✓' : '✗'} ${aim.text}`])
  ]
}
