import { readdirSync } from 'node:fs'
import type { Cause } from './cause.ts'

/** Folder of the cause modules, one file each, named by id. */
const causesFolder = new URL('causes/', import.meta.url)

/** Ids by file name, sorted. */
export const causeFiles = (): string[] => readdirSync(causesFolder).filter(name => name.endsWith('.ts')).map(name => name.slice(0, -3)).sort()

const camel = (id: string): string => id.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Source of index.ts for these ids. */
export function indexSource (ids: readonly string[]): string {
  const imports = ids.map(id => `import ${camel(id)} from './causes/${id}.ts'`).join('\n')
  const list = ids.map(id => `  ${camel(id)}`).join(',\n')
  return `import type { Cause } from './cause.ts'
${imports}

/** The catalogue. Generated from src/diagnose/causes by \`npm run generate\`; do not edit. */
export const causes: readonly Cause[] = [
${list}
]
`
}

/** The README's table: each id, its variants and what it means. */
export function readmeTable (causes: readonly Cause[]): string {
  const rows = causes.map(({ id, title, variants }) => `| \`${id}\` | ${escapeCell(readable(title))} | ${variants.map(variant => `\`${variant}\``).join(' ')} |`)
  return ['| id | says | variants |', '|---|---|---|', ...rows].join('\n')
}

const readable = (title: string): string => title.replaceAll(/\{(\w+)\}/g, (_, name: string) => `‹${name}›`)
const escapeCell = (text: string): string => text.replaceAll('|', '\\|')
