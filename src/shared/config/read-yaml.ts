import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import { isNode, LineCounter, parseDocument, type Document } from 'yaml'
import { reasonOf, TriageError } from '../errors.ts'
import type { AcmeTriageConfiguration } from '../types/generated/config.ts'
import { nearest } from './nearest.ts'

/** The YAML as schemas/config.schema.json lets it through: durations and sizes are still text. */
export type ConfigFile = AcmeTriageConfiguration

const schema = new URL('../../../schemas/config.schema.json', import.meta.url)
/** Words that people put into a file although they are secrets, and where each belongs. */
const secretKeys: Record<string, string> = {
  token: 'SLACK_BOT_TOKEN, ACME_TRIAGE_WEBHOOK_TOKEN', tokens: 'ACME_TRIAGE_WEBHOOK_TOKEN, ACME_TRIAGE_PAGE_TOKEN', basic: 'ACME_TRIAGE_WEBHOOK_BASIC',
  password: 'ACME_TRIAGE_WEBHOOK_BASIC, ALERTMANAGER_BASIC', bearer: 'ALERTMANAGER_TOKEN', botToken: 'SLACK_BOT_TOKEN', appToken: 'SLACK_APP_TOKEN',
  signingSecret: 'SLACK_SIGNING_SECRET', secret: 'ACME_TRIAGE_OUTGOING_SECRET', webhookUrl: 'SLACK_WEBHOOK_URL', databaseUrl: 'DATABASE_URL'
}

/** Reads and checks a configuration file; throws with file:line:column and a hint for each mistake's first. */
export function readConfigFile (file: string): ConfigFile {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new TriageError('CONFIG_UNREADABLE', { file, why: reasonOf(error) }, { cause: error })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const [mistake] = document.errors
  if (mistake !== undefined) throw new TriageError('CONFIG_YAML', { where: place(file, lines, mistake.pos[0]), why: firstLine(mistake.message) })
  const value = plain(document, file)
  if (value === null || value === undefined) return {}
  const validate = new Ajv({ allErrors: true, strict: true, strictTypes: false, verbose: true }).compile<ConfigFile>(JSON.parse(readFileSync(schema, 'utf8')) as object)
  if (validate(value)) return value
  throw invalid(file, document, lines, validate.errors ?? [])
}

function plain (document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 50 }) as unknown
  } catch (error) {
    throw new TriageError('CONFIG_YAML', { where: file, why: reasonOf(error) }, { cause: error })
  }
}

function invalid (file: string, document: Document, lines: LineCounter, found: ErrorObject[]): TriageError {
  // An unknown key explains the others that follow from it.
  const error = found.find(({ keyword }) => keyword === 'additionalProperties') ?? found.find(({ keyword }) => keyword !== 'anyOf') ?? found[0]!
  const path = error.instancePath.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const key = error.keyword === 'additionalProperties' ? String((error.params as { additionalProperty: string }).additionalProperty) : undefined
  const where = place(file, lines, offsetOf(document, path, key))
  const name = [...path, ...(key === undefined ? [] : [key])].join('.')
  if (key === undefined) return new TriageError('CONFIG_INVALID', { where, why: `${name === '' ? 'the file' : name} ${sentence(error)}`, fix: 'See schemas/config.schema.json for every key and its form.' })
  const secret = secretKeys[key]
  if (secret !== undefined) return new TriageError('CONFIG_INVALID', { where, why: `${name} is a secret and does not belong into the file`, fix: `Set it by environment (${secret}) or by the variable's _FILE form.` })
  const known = Object.keys((error.parentSchema as { properties?: Record<string, unknown> }).properties ?? {})
  const meant = nearest(key, known)
  return new TriageError('CONFIG_INVALID', { where, why: `unknown key ${name}${meant === undefined ? '' : `, did you mean ${meant}?`}`, fix: `Known here: ${known.join(', ')}.` })
}

function sentence ({ keyword, params, message, schema: rule }: ErrorObject): string {
  if (keyword === 'enum') return `must be one of ${(params as { allowedValues: unknown[] }).allowedValues.join(', ')}`
  if (keyword === 'pattern') return /ms\|s\|m/.test(String(rule)) ? 'must be a duration such as 30s, 5m or 1h30m' : /https/.test(String(rule)) ? 'must be a URL that begins with http:// or https://' : /d\{1,5\}/.test(String(rule)) ? 'must be host:port, such as 0.0.0.0:8080' : `must match ${String(rule)}`
  return message ?? 'does not fit'
}

function offsetOf (document: Document, path: string[], key: string | undefined): number | undefined {
  const steps = path.map(part => /^\d+$/.test(part) ? Number(part) : part)
  const parent: unknown = steps.length === 0 ? document.contents : document.getIn(steps, true)
  if (key !== undefined && parent !== null && typeof parent === 'object' && 'items' in parent) {
    for (const pair of parent.items as { key?: unknown }[]) {
      if (isNode(pair.key) && String(pair.key) === key) return pair.key.range?.[0]
    }
  }
  return isNode(parent) ? parent.range?.[0] : undefined
}

function place (file: string, lines: LineCounter, offset: number | undefined): string {
  if (offset === undefined) return file
  const { line, col } = lines.linePos(offset)
  return `${file}:${line}:${col}`
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!
