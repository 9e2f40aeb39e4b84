import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import { CORE_SCHEMA, loadAll, YAMLException } from 'js-yaml'
import { isNode, LineCounter, parseAllDocuments, parseDocument, type Document } from 'yaml'
import { CaseError } from './case-error.ts'

/** A definition of schemas/case.schema.json. */
export type CasePart = 'case' | 'dns' | 'http' | 'acme' | 'alert' | 'expect'

const schemaFile = new URL('../../schemas/case.schema.json', import.meta.url)
let ajv: Ajv | undefined

// The YAML core schema has no timestamps: times stay the text that they are.
const coreSchema = { version: '1.2', schema: 'core', prettyErrors: false, logLevel: 'silent' } as const

/** Reads one of the small, hand-written files: every mistake gets its file:line:column. An empty file is `null`. */
export function parseCaseYaml (file: string, text: string, part: CasePart): unknown {
  const lines = new LineCounter()
  const document = parseDocument(text, { ...coreSchema, lineCounter: lines, uniqueKeys: true })
  const value = toValue(file, document, lines)
  const validate = validator(part)
  if (validate(value ?? null)) return value ?? null
  const [error] = sortedByDepth(validate.errors ?? [])
  throw new CaseError('CASE_SCHEMA', place(file, lines, error && offsetOf(document, error)), error === undefined ? 'does not fit' : sentence(error))
}

/**
 * Reads a stream of documents as dumps have them: null documents are left out, doubled keys are not
 * minded. js-yaml is ten times as fast as the reader of hand-written files, which names the place of a mistake.
 */
export function parseCaseDocuments (file: string, text: string): unknown[] {
  return quick(text.replace(/^\uFEFF/, '')) ?? whole(file, text)
}

function quick (text: string): unknown[] | undefined {
  try {
    return loadAll(text, { schema: CORE_SCHEMA, json: true, maxAliases: 0 }).filter((value) => value !== null && value !== undefined)
  } catch (error) {
    if (error instanceof YAMLException) return undefined
    throw error
  }
}

function whole (file: string, text: string): unknown[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { ...coreSchema, lineCounter: lines, uniqueKeys: false })
  return (Array.isArray(documents) ? documents : []).map((document) => toValue(file, document, lines)).filter((value) => value !== null && value !== undefined)
}

/** Reads a webhook body. */
export function parseCaseJson (file: string, text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw new CaseError('CASE_JSON', jsonPlace(file, text, (error as Error).message), (error as Error).message.replaceAll(/\s+/g, ' '), { cause: error })
  }
  const validate = validator('alert')
  if (validate(value)) return value
  const [error] = sortedByDepth(validate.errors ?? [])
  throw new CaseError('CASE_SCHEMA', file, error === undefined ? 'does not fit' : sentence(error))
}

function toValue (file: string, document: Document, lines: LineCounter): unknown {
  const [mistake] = document.errors
  if (mistake !== undefined) throw new CaseError('CASE_YAML', place(file, lines, mistake.pos[0]), mistake.message.split('\n', 1)[0]!)
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown
  } catch (error) {
    throw new CaseError('CASE_YAML', file, (error as Error).message, { cause: error })
  }
}

function validator (part: CasePart): ValidateFunction {
  if (ajv === undefined) {
    ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false, strictTypes: false })
    ajvFormats.default(ajv, ['date-time'])
    ajv.addSchema(JSON.parse(readFileSync(schemaFile, 'utf8')) as object)
  }
  return ajv.getSchema(`case.schema.json#/definitions/${part}`)!
}

/** The deepest error is the one that a person made; its parents' only follow from it. */
function sortedByDepth (errors: ErrorObject[]): ErrorObject[] {
  const depth = ({ instancePath }: ErrorObject): number => instancePath.split('/').length
  return errors.filter(({ keyword }) => keyword !== 'anyOf').toSorted((one, other) => depth(other) - depth(one))
}

function sentence (error: ErrorObject): string {
  const where = partsOf(error.instancePath).join('.') || 'the file'
  const { params } = error
  if (error.keyword === 'enum') return `${where} must be one of ${(params as { allowedValues: unknown[] }).allowedValues.filter((value) => value !== null).join(', ')}`
  if (error.keyword === 'const') return `${where} must be ${String((params as { allowedValue: unknown }).allowedValue)}`
  if (error.keyword === 'format') return `${where} must be a time such as 2026-11-24T10:05:00Z`
  if (error.keyword === 'required') return `${where} lacks ${(params as { missingProperty: string }).missingProperty}`
  return `${where} ${error.message ?? 'does not fit'}`
}

const partsOf = (pointer: string): string[] => pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))

function offsetOf (document: Document, error: ErrorObject): number | undefined {
  const path = partsOf(error.instancePath).map((part) => /^\d+$/.test(part) ? Number(part) : part)
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return undefined
}

function place (file: string, lines: LineCounter, offset: number | undefined): string {
  if (offset === undefined) return file
  const { line, col } = lines.linePos(offset)
  return `${file}:${line}:${col}`
}

/** V8 gives a position with some of its messages only; YAML's parser, which reads JSON too, finds the rest. */
function jsonPlace (file: string, text: string, message: string): string {
  const lines = new LineCounter()
  const known = /at position (\d+)/.exec(message)?.[1]
  const [mistake] = parseDocument(text, { ...coreSchema, lineCounter: lines }).errors
  return place(file, lines, known === undefined ? mistake?.pos[0] : Number(known))
}
