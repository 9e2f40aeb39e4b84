import type { KubeObject, ObjectMeta } from '../types/kubernetes.ts'

/** Fields that hold a list wherever they stand; anything else there is somebody's half-written object. */
const lists = new Set([
  'conditions', 'dnsNames', 'ipAddresses', 'authorizations', 'challenges', 'solvers', 'rules', 'hosts', 'paths', 'ports', 'containers', 'initContainers',
  'containerStatuses', 'initContainerStatuses', 'args', 'command', 'env', 'subsets', 'endpoints', 'addresses', 'parents', 'parentRefs', 'hostnames', 'listeners',
  'backendRefs', 'filters', 'matches', 'finalizers', 'ownerReferences', 'managedFields', 'policyTypes', 'matchExpressions', 'webhooks', 'versions', 'dnsZones'
])
const stringMaps = new Set(['labels', 'annotations', 'matchLabels'])

/**
 * The API's JSON as KubeObject, or undefined for what has no name. Nulls count as absent, wrong
 * types are dropped, missing kind and UID are filled in, so that the rooms behind need no checks.
 */
export function normalizeObject (raw: unknown, kind: string, apiVersion: string): KubeObject | undefined {
  if (!isRecord(raw) || !isRecord(raw.metadata) || typeof raw.metadata.name !== 'string' || raw.metadata.name === '') return undefined
  const object = clean(raw) as Record<string, unknown>
  const metadata = object.metadata as Record<string, unknown>
  for (const field of ['namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp']) if (typeof metadata[field] !== 'string') delete metadata[field]
  if (metadata.ownerReferences !== undefined) metadata.ownerReferences = (metadata.ownerReferences as unknown[]).filter(isRecord)
  if (metadata.managedFields !== undefined) metadata.managedFields = (metadata.managedFields as unknown[]).filter(isRecord)
  if (metadata.finalizers !== undefined) metadata.finalizers = (metadata.finalizers as unknown[]).filter(entry => typeof entry === 'string')
  const ofKind = typeof object.kind === 'string' && object.kind !== '' ? object.kind : kind
  metadata.uid ??= `${ofKind}/${String(metadata.namespace ?? '')}/${String(metadata.name)}`
  for (const part of ['spec', 'status']) if (object[part] !== undefined && !isRecord(object[part])) delete object[part]
  const status = object.status as Record<string, unknown> | undefined
  if (Array.isArray(status?.conditions)) {
    status.conditions = status.conditions.filter(condition => isRecord(condition) && typeof condition.type === 'string').map(condition => ({ ...condition, status: typeof condition.status === 'string' ? condition.status : 'Unknown' }))
  }
  return { ...object, apiVersion: typeof object.apiVersion === 'string' ? object.apiVersion : apiVersion, kind: ofKind, metadata: metadata as unknown as ObjectMeta }
}

function clean (value: unknown): unknown {
  if (Array.isArray(value)) {
    const whole = !value.includes(null)
    const kept = whole ? value : value.filter(entry => entry !== null)
    for (let index = 0; index < kept.length; index++) if (typeof kept[index] === 'object') kept[index] = clean(kept[index])
    return kept
  }
  if (!isRecord(value)) return value
  for (const key of Object.keys(value)) {
    const entry = value[key]
    if (entry === null || (lists.has(key) && !Array.isArray(entry))) delete value[key]
    else if (stringMaps.has(key) && isRecord(entry)) {
      for (const name of Object.keys(entry)) if (typeof entry[name] !== 'string') { if (typeof entry[name] === 'object') delete entry[name]; else entry[name] = String(entry[name]) }
    } else if (typeof entry === 'object' && key !== 'fieldsV1') value[key] = clean(entry)
  }
  if (isRecord(value.metadata)) for (const key of stringMaps) if (value.metadata[key] !== undefined && !isRecord(value.metadata[key])) delete value.metadata[key]
  return value
}

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
