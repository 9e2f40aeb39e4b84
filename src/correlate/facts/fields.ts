import type { Condition, KubeObject } from '../../shared/types/kubernetes.ts'

/** A part of an object whose shape nobody guarantees. */
export type Fields = Record<string, unknown>

/** The value as an object; an empty one when it is something else. */
export function fields (value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Fields : {}
}

/** The value as a list of objects. */
export function fieldsList (value: unknown): Fields[] { return Array.isArray(value) ? value.map(fields) : [] }

/** The strings of a list. */
export function strings (value: unknown): string[] { return Array.isArray(value) ? value.filter(item => typeof item === 'string') : [] }

/** A string, or a number or boolean in words; '' for anything else. */
export function string (value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

/** Walks down by field names. */
export function at (value: unknown, ...path: string[]): unknown {
  let here = value
  for (const name of path) here = fields(here)[name]
  return here
}

/** A map of strings, such as labels or a selector. */
export function stringMap (value: unknown): Map<string, string> {
  return new Map(Object.entries(fields(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

export const annotationsOf = (object: KubeObject): Map<string, string> => stringMap(object.metadata.annotations)
export const labelsOf = (object: KubeObject): Map<string, string> => stringMap(object.metadata.labels)

/** `Ingress shop/web`, as a person would look it up. */
export const nameOf = ({ kind, metadata: { namespace, name } }: KubeObject): string => `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`

/** Conditions wherever an object keeps them. */
export function conditions (value: unknown): Condition[] {
  return fieldsList(value).map(item => ({
    type: string(item.type), status: string(item.status) as Condition['status'], reason: string(item.reason), message: string(item.message),
    lastTransitionTime: string(item.lastTransitionTime)
  }))
}
