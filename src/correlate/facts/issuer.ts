import type { IssuerFacts } from '../../shared/types/case.ts'
import { absent, seen, unavailable, type Evidence, type Look } from '../../shared/types/common.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { conditionOf, refOf } from '../objects.ts'
import { compare, type CorrelateContext } from '../snapshot.ts'
import { times } from './certificate.ts'
import { fields, fieldsList, string, type Fields } from './fields.ts'

/** The issuer that the attempt refers to, also when the reference leads to nothing. */
export function issuerFacts ({ snapshot, attempt: { issuer, issuerRef }, namespace }: CorrelateContext): Look<IssuerFacts> {
  if (issuerRef === undefined) return absent
  const kind = issuerRef.kind ?? 'Issuer'
  const place = kind === 'ClusterIssuer' ? undefined : namespace
  if (issuer === undefined) {
    const look = snapshot.get(kind, place, issuerRef.name)
    if (look.is === 'unavailable') return unavailable(look.why, look.fix)
  }
  const ref = refOf(kind, place, issuerRef.name)
  const ready = conditionOf(issuer, 'Ready')
  const similar = similarIssuers(snapshot.byKind('Issuer'), snapshot.byKind('ClusterIssuer'), issuerRef.name, issuer)
  const evidence: Evidence[] = issuer === undefined
    ? [{ source: 'issuer', ref, text: `not found${similar.length === 0 ? '' : `; there is ${similar.join(', ')}`}` }]
    : [{ source: 'issuer', ref, text: ready === undefined ? 'has no Ready condition' : `Ready=${ready.status} ${ready.reason ?? ''}: ${ready.message ?? ''}`.trim(), ...times({ time: ready?.lastTransitionTime }) }]
  const acme = acmeOf(issuer)
  return seen({
    kind,
    name: issuerRef.name,
    ...place === undefined ? {} : { namespace: place },
    exists: issuer !== undefined,
    group: issuerRef.group ?? 'cert-manager.io',
    ...ready === undefined ? {} : { ready },
    ...acme === undefined ? {} : { acme },
    similar,
    evidence
  })
}

function acmeOf (issuer: KubeObject | undefined): IssuerFacts['acme'] {
  const spec = fields(issuer?.spec)
  if (spec.acme === undefined) return undefined
  const acme = fields(spec.acme)
  const optional = (name: string, value: unknown): Fields => string(value) === '' ? {} : { [name]: string(value) }
  return {
    server: string(acme.server),
    ...optional('email', acme.email),
    ...optional('accountUri', fields(fields(issuer?.status).acme).uri),
    solvers: fieldsList(acme.solvers),
    caBundle: string(acme.caBundle) !== '',
    skipTLSVerify: acme.skipTLSVerify === true,
    eab: acme.externalAccountBinding !== undefined,
    ...optional('preferredChain', acme.preferredChain),
    ...optional('profile', acme.profile),
    enableDurationFeature: acme.enableDurationFeature === true,
    disableAccountKeyGeneration: acme.disableAccountKeyGeneration === true,
    ...optional('accountKeySecret', fields(acme.privateKeySecretRef).name)
  }
}

/** The same name in another kind or namespace, and names a slip or two away. */
function similarIssuers (issuers: readonly KubeObject[], clusterIssuers: readonly KubeObject[], name: string, own: KubeObject | undefined): string[] {
  return [...issuers, ...clusterIssuers]
    .filter(object => object !== own)
    .map(({ kind, metadata }) => ({ text: refOf(kind, metadata.namespace, metadata.name), distance: editDistance(metadata.name.slice(0, 80), name.slice(0, 80)) }))
    .filter(({ distance, text }) => distance <= 2 || text.endsWith(name) || (name.length > 5 && text.includes(name)))
    .sort((a, b) => a.distance - b.distance || compare(a.text, b.text))
    .slice(0, 5)
    .map(({ text }) => text)
}

/** Levenshtein, one row at a time. */
function editDistance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
