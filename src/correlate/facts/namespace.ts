import type { NamespaceFacts } from '../../shared/types/case.ts'
import { absent, seen, type Look } from '../../shared/types/common.ts'
import type { CorrelateContext } from '../snapshot.ts'
import { times } from './certificate.ts'
import { at, labelsOf, string } from './fields.ts'

/** The namespace of the attempt; one that is going away accepts no solver objects. */
export function namespaceFacts ({ snapshot, namespace }: CorrelateContext): Look<NamespaceFacts> {
  if (namespace === '') return absent
  const look = snapshot.get('Namespace', undefined, namespace)
  if (look.is !== 'seen') return look
  const { value } = look
  const phase = string(at(value.status, 'phase'))
  const deleted = times({ deletedAt: value.metadata.deletionTimestamp })
  return seen({
    name: namespace,
    phase,
    ...deleted,
    labels: Object.fromEntries(labelsOf(value)),
    evidence: [{ source: 'object', ref: `Namespace ${namespace}`, text: `phase ${phase === '' ? 'not set' : phase}`, ...deleted.deletedAt === undefined ? {} : { time: deleted.deletedAt } }]
  })
}
