import type { KubeObject } from '../shared/types/kubernetes.ts'
import { millisOf } from './snapshot.ts'

/** One writer's last write: who, when, and which fields it holds. */
export interface Write { at: number, by: string, fields: string[], created: boolean }

const maxFields = 20

/** Decodes managedFields: spec and metadata only, status writers left out. Newest first. */
export function writesOf (object: KubeObject): Write[] {
  const created = millisOf(object.metadata.creationTimestamp)
  return (object.metadata.managedFields ?? []).flatMap(({ manager, time, subresource, fieldsV1, operation }) => {
    const at = millisOf(time)
    if (at === undefined || (subresource ?? '') !== '') return []
    const fields = fieldPaths(fieldsV1).filter(path => !path.startsWith('status') && path !== 'metadata.annotations' && path !== 'metadata.labels')
    if (fields.length === 0) return []
    return [{ at, by: `${manager ?? 'unknown'}${operation === 'Apply' ? ' (apply)' : ''}`, fields: fields.slice(0, maxFields), created: created !== undefined && at - created < 2_000 }]
  }).sort((a, b) => b.at - a.at)
}

/** `f:spec` → `f:rules` becomes `spec.rules`; keys of lists stand in brackets. */
export function fieldPaths (tree: unknown, prefix = '', depth = 0): string[] {
  if (typeof tree !== 'object' || tree === null || depth > 12) return []
  const paths: string[] = []
  for (const [key, child] of Object.entries(tree)) {
    if (paths.length >= 400) break
    if (key === '.') continue
    const path = joined(prefix, key)
    const below = fieldPaths(child, path, depth + 1)
    paths.push(...below.length === 0 ? [path] : below)
  }
  return paths
}

function joined (prefix: string, key: string): string {
  const kind = key.slice(0, 2)
  const rest = key.slice(2)
  if (kind === 'f:') {
    // Annotation names have dots of their own.
    const name = /[./]/.test(rest) ? `["${rest}"]` : rest
    return prefix === '' || name.startsWith('[') ? `${prefix}${name}` : `${prefix}.${name}`
  }
  if (kind === 'k:') {
    try {
      const entries = Object.entries(JSON.parse(rest) as Record<string, unknown>)
      return `${prefix}[${entries.map(([name, value]) => `${name}=${String(value)}`).join(',')}]`
    } catch { return `${prefix}[${rest}]` }
  }
  return `${prefix}[${rest}]`
}
