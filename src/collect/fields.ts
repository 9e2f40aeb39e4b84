import type { Millis } from '../shared/types/common.ts'
import type { Condition, IssuerRef, KubeObject } from '../shared/types/kubernetes.ts'

/** Reads one field after another; undefined where anything on the way is missing. */
export function at (value: unknown, ...path: (string | number)[]): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = (here as Record<string | number, unknown>)[step]
  }
  return here
}

export const text = (value: unknown, ...path: (string | number)[]): string => {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

export const list = (value: unknown, ...path: (string | number)[]): unknown[] => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

export const texts = (value: unknown, ...path: (string | number)[]): string[] => list(value, ...path).filter(entry => typeof entry === 'string')

/** RFC 3339 in milliseconds; undefined for anything else. */
export function time (value: unknown): Millis | undefined {
  if (typeof value !== 'string') return undefined
  const parsed = Date.parse(value)
  return Number.isNaN(parsed) ? undefined : parsed
}

export const created = ({ metadata }: KubeObject): Millis => time(metadata.creationTimestamp) ?? 0

export const conditionOf = (object: KubeObject, type: string): Condition | undefined =>
  (list(object, 'status', 'conditions') as Condition[]).find(condition => condition.type === type)

export function issuerRefOf (object: KubeObject | undefined): Required<IssuerRef> | undefined {
  const name = text(object, 'spec', 'issuerRef', 'name')
  if (name === '') return undefined
  return { name, kind: text(object, 'spec', 'issuerRef', 'kind') || 'Issuer', group: text(object, 'spec', 'issuerRef', 'group') || 'cert-manager.io' }
}

/** Two objects point at the same issuer; an Issuer of another namespace is another issuer. */
export function sameIssuer (a: KubeObject, b: KubeObject): boolean {
  const [left, right] = [issuerRefOf(a), issuerRefOf(b)]
  return left !== undefined && right !== undefined && left.name === right.name && left.kind === right.kind && (left.kind === 'ClusterIssuer' || a.metadata.namespace === b.metadata.namespace)
}

/** The owner that controls an object of that kind; the first of the kind when none says so (v1.20 has two). */
export function ownerOf (object: KubeObject, kind: string): { name: string, uid: string } | undefined {
  const owners = (object.metadata.ownerReferences ?? []).filter(owner => owner.kind === kind)
  return owners.find(({ controller }) => controller === true) ?? owners[0]
}

export const failedStates = new Set(['invalid', 'errored', 'expired'])
/** Host names that a Certificate or Order is for, and its addresses. */
export const namesOf = (object: KubeObject): string[] =>
  [...new Set([...texts(object, 'spec', 'dnsNames'), text(object, 'spec', 'commonName'), ...texts(object, 'spec', 'ipAddresses')].filter(name => name !== '').map(name => name.toLowerCase()))]
