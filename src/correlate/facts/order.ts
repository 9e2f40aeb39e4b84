import type { OrderFacts } from '../../shared/types/case.ts'
import { seen, type Look } from '../../shared/types/common.ts'
import { authorizationsOf, reasonOf, stateOf } from '../objects.ts'
import { createdAt, type CorrelateContext } from '../snapshot.ts'
import { times } from './certificate.ts'
import { at, fields, nameOf, string } from './fields.ts'
import { whyMissing } from './missing.ts'

/** The Order of the attempt with the Challenges that are left of it. */
export function orderFacts (context: CorrelateContext): Look<OrderFacts> {
  const { attempt: { order, challenges } } = context
  if (order === undefined) return whyMissing(context, 'Order')
  const { metadata } = order
  const spec = fields(order.spec)
  const status = fields(order.status)
  const state = stateOf(order)
  const reason = reasonOf(order)
  const url = string(status.url)
  const asked = context.observations.acme.find(look => look.kind === 'order' && look.url === url)
  const stateAtCa = asked?.look.is === 'seen' ? string(at(asked.look.value.body, 'status')) : ''
  const failed = times({ failureTime: status.failureTime })
  return seen({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    created: createdAt(order),
    state,
    reason,
    ...failed,
    ...url === '' ? {} : { url },
    ...stateAtCa === '' ? {} : { stateAtCa },
    hasCertificate: string(status.certificate) !== '',
    authorizations: authorizationsOf(order).map(({ tokens: _tokens, ...authorization }) => authorization),
    ...string(spec.profile) === '' ? {} : { profile: string(spec.profile) },
    ...string(spec.duration) === '' ? {} : { duration: string(spec.duration) },
    challenges: challenges.map(challenge => ({
      name: challenge.metadata.name,
      dnsName: string(at(challenge.spec, 'dnsName')),
      type: string(at(challenge.spec, 'type')),
      state: stateOf(challenge),
      processing: at(challenge.status, 'processing') === true,
      presented: at(challenge.status, 'presented') === true,
      reason: reasonOf(challenge),
      created: createdAt(challenge)
    })),
    evidence: [{
      source: 'order',
      ref: nameOf(order),
      text: `state ${state === '' ? 'not set: the CA has not accepted it' : state}${reason === '' ? '' : `: ${reason}`}${['', state].includes(stateAtCa) ? '' : ` (at the CA: ${stateAtCa})`}`,
      ...failed.failureTime === undefined ? {} : { time: failed.failureTime }
    }]
  })
}
