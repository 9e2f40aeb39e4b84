import type { ChallengeFacts } from '../../shared/types/case.ts'
import { absent, seen, type Evidence, type Look } from '../../shared/types/common.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { challengeTypeOf, reasonOf, stateOf } from '../objects.ts'
import { createdAt, type CorrelateContext, type IdentifierSeed, type Snapshot } from '../snapshot.ts'
import { fields, nameOf, string, type Fields } from './fields.ts'
import { whyMissing } from './missing.ts'

/** The Challenge of one identifier. Absent when the name was valid already and needed none. */
export function challengeFacts (context: CorrelateContext, identifier?: IdentifierSeed): Look<ChallengeFacts> {
  const challenge = identifier?.challenge
  if (challenge === undefined) return identifier?.authorization?.initialState === 'valid' ? absent : whyMissing(context, 'Challenge')
  const spec = fields(challenge.spec)
  const status = fields(challenge.status)
  const { metadata } = challenge
  const state = stateOf(challenge)
  const reason = reasonOf(challenge)
  const { solver, config } = solverOf(spec)
  const heldBy = state === '' && status.processing !== true ? holderOf(context.snapshot, challenge) : undefined
  return seen({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    created: createdAt(challenge),
    type: challengeTypeOf(challenge) ?? 'HTTP-01',
    dnsName: string(spec.dnsName),
    wildcard: spec.wildcard === true,
    state,
    reason,
    processing: status.processing === true,
    presented: status.presented === true,
    deleting: metadata.deletionTimestamp !== undefined,
    token: string(spec.token),
    key: string(spec.key),
    asked: wasAsked(context, challenge.metadata, state, reason),
    solver,
    solverConfig: config,
    ...heldBy !== undefined && { heldBy },
    evidence: [{ source: 'challenge', ref: nameOf(challenge), text: words(state, reason, status) }]
  })
}

/** cert-manager never works on two Challenges for the same name and type at once, whatever their namespaces. */
function holderOf (snapshot: Snapshot, challenge: KubeObject): Evidence | undefined {
  const spec = fields(challenge.spec)
  const orders = new Set(challenge.metadata.ownerReferences?.map(({ uid }) => uid))
  const holder = snapshot.byKind('Challenge').find(other => {
    const { dnsName } = fields(other.spec)
    return other !== challenge && dnsName === spec.dnsName && challengeTypeOf(other) === challengeTypeOf(challenge) && fields(other.status).processing === true &&
      other.metadata.ownerReferences?.some(({ uid }) => orders.has(uid)) !== true
  })
  return holder === undefined ? undefined : { source: 'challenge', ref: nameOf(holder), text: words(stateOf(holder), reasonOf(holder), fields(holder.status)) }
}

function words (state: string, reason: string, status: Fields): string {
  const flags = [status.processing === true ? 'processing' : 'not processing', status.presented === true ? 'presented' : 'not presented'].join(', ')
  return `state ${state === '' ? 'not set' : state} (${flags})${reason === '' ? '' : `: ${reason}`}`
}

/** Once the CA was asked, a self-check that failed before says nothing about the verdict. */
function wasAsked ({ snapshot }: CorrelateContext, { namespace, name, uid }: { namespace?: string, name: string, uid: string }, state: string, reason: string): boolean {
  if (state === 'valid' || state === 'invalid' || state === 'processing') return true
  if (/^(?:Error accepting (?:authorization|challenge)|Failed to retrieve Order resource|acme: authorization error)/i.test(reason)) return true
  return snapshot.eventsOf('Challenge', namespace, name, uid).some(event => ['Failed', 'DomainVerified'].includes(string(event.reason)))
}

const settings = new Set(['cnameStrategy', 'nameservers', 'waitInsteadOfSelfCheck'])

/** `ingress`, `gatewayHTTPRoute`, or the DNS provider's stanza, with its own settings. */
function solverOf (spec: Fields): { solver: string, config: Fields } {
  const config = fields(spec.solver)
  const http = fields(config.http01)
  const dns = fields(config.dns01)
  const [solver = ''] = [...Object.keys(http), ...Object.keys(dns)].filter(name => !settings.has(name))
  return { solver, config }
}
