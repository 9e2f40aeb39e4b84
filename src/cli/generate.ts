import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { causeFiles, indexSource, readmeTable } from '../diagnose/catalogue.ts'
import type { Cause } from '../diagnose/cause.ts'
import { errors } from '../shared/errors.ts'
import type { Retry } from '../shared/errors.ts'

/** A file that is made from others: its path from the top, and its text. Undefined: there is nothing to make it from yet. */
interface Generated { path: string, text: string | undefined }

const top = new URL('../../', import.meta.url)
const at = (path: string): string => fileURLToPath(new URL(path, top))

/** Everything that `npm run generate` writes and `--check` compares. */
export async function generatedFiles (): Promise<Generated[]> {
  return [{ path: 'src/diagnose/index.ts', text: indexSource(causeFiles()) }, await readme(), ...await typesFromSchemas()]
}

async function readme (): Promise<Generated> {
  const path = 'README.md'
  if (!existsSync(at(path))) return { path, text: undefined }
  const now = readFileSync(at(path), 'utf8')
  const modules = await Promise.all(causeFiles().map(async id => await import(`../diagnose/causes/${id}.ts`) as { default: Cause }))
  return { path, text: replaceSection(replaceSection(now, 'causes', readmeTable(modules.map(module => module.default))), 'errors', errorTable()) }
}

/** The README's table of errors: the registry as people read it, blanks shown as ‹name›. */
export function errorTable (): string {
  const cell = (text: string): string => text.replaceAll(/\{(\w+)\}/g, (_, name: string) => `‹${name}›`).replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const rows = Object.entries(errors).map(([code, { message, hint, retry }]) => `| \`${code}\` | ${cell(message)} | ${cell(hint)} | ${retryWords[retry]} |`)
  return ['| code | says | what to do | does trying again help |', '|---|---|---|---|', ...rows].join('\n')
}

const retryWords: Record<Retry, string> = { soon: 'yes, soon', 'after-fix': 'after it is put right', never: 'no' }

/** Puts `body` between `<!-- name -->` and `<!-- /name -->`; a text without the marks stays as it is. */
export function replaceSection (text: string, name: string, body: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const start = text.indexOf(open)
  const end = text.indexOf(close)
  return start === -1 || end < start ? text : `${text.slice(0, start + open.length)}\n${body}\n${text.slice(end)}`
}

async function typesFromSchemas (): Promise<Generated[]> {
  if (!existsSync(at('schemas'))) return []
  const { compileFromFile } = await import('json-schema-to-typescript')
  const names = readdirSync(at('schemas')).filter(name => name.endsWith('.schema.json')).sort()
  return await Promise.all(names.map(async name => ({
    path: `src/shared/types/generated/${basename(name, '.schema.json')}.ts`,
    text: await compileFromFile(at(`schemas/${name}`), {
      bannerComment: `/* Generated from schemas/${name} by \`npm run generate\`; do not edit. */`, additionalProperties: false, style: { semi: false, singleQuote: true }
    })
  })))
}

/** Writes what is stale; with `check` only names it. Returns the stale paths. */
export async function generate ({ check }: { check: boolean }): Promise<string[]> {
  const stale: string[] = []
  for (const { path, text } of await generatedFiles()) {
    if (text === undefined || (existsSync(at(path)) && readFileSync(at(path), 'utf8') === text)) continue
    stale.push(path)
    if (check) continue
    mkdirSync(at(`${path}/..`), { recursive: true })
    writeFileSync(at(path), text)
  }
  return stale
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const check = process.argv.includes('--check')
  const stale = await generate({ check })
  for (const path of stale) process.stdout.write(check ? `${path} is stale: run npm run generate\n` : `${path} written\n`)
  if (check && stale.length > 0) process.exitCode = 1
}
