import { cannotTell, defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'

const ended = ['invalid', 'expired', 'errored']

/** A challenge, or the order at the CA, is over and the Order was never told; or an old Order has the name that a new request needs. */
export default defineCause({
  id: 'order-orphaned',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: ['order', 'request'],
  title: 'The order of {certificate} does not move: {what}',
  meaning: 'cert-manager still counts the order as open, so it neither fails it nor tries again. The Certificate waits without an error.',
  texts: [
    { in: ['request', 'event', 'log'], match: 'found order resource not owned by this certificaterequest|failed create new order resource .{0,300}already exists', confidence: 'likely' },
    // A restored backup, or two requests of one revision: cert-manager makes no third and goes on with neither.
    { in: ['request', 'event', 'log'], match: '(?P<request>certificaterequests\\.cert-manager\\.io "[^"]+" already exists|multiple (matching )?certificaterequest.{0,160}(no more duplicates|delete one of them))', confidence: 'likely' }
  ],
  remedy: [
    { do: 'See the state of Order and challenges.', run: 'kubectl -n {namespace} get order,challenge -o wide' },
    'Find out why the challenge ended, from its reason and its events.',
    'Where a CertificateRequest is in the way (restored from a backup, or the second of its revision), delete that one.',
    { do: 'Delete the Order; a new attempt follows at once.', run: 'kubectl -n {namespace} delete order {order}', changes: true }
  ],
  related: ['acme-authorization-expired', 'cert-manager-queue-saturated'],
  // cert-manager needs a moment to carry the end of a challenge into the Order.
  thresholds: { patienceSeconds: 120 },

  examine ({ order: seen, request, hits, thresholds, case: { now } }) {
    const patience = thresholds.patienceSeconds! * 1000
    const asked = valueIn(request)
    const done = asked?.ready?.status === 'True' || asked?.failureTime !== undefined
    // For a moment this is a race that cert-manager wins by itself; an Order that came later says that it did.
    const blocked = hits.find(({ groups, text: { first = now, last = now } }) => groups.request === undefined ? !done && last - (asked?.created ?? now) > patience : last - first > patience && last > (valueIn(seen)?.created ?? 0))
    if (blocked !== undefined) return { is: 'found', confidence: 'likely', blanks: { what: blocked.groups.request === undefined ? 'it was there before, and the new CertificateRequest needs its name' : 'an older CertificateRequest holds the place of the new one' }, because: [blocked] }
    if (seen.is === 'unavailable') return cannotTell(`order: ${seen.why}`)
    const order = valueIn(seen)
    if (order === undefined) return notApplicable
    if (order.state !== 'pending' && order.state !== '') return { is: 'ruled-out', by: ['order'], because: `The Order is ${order.state}.` }
    const over = order.challenges.filter(({ state }) => ended.includes(state))
    const open = order.challenges.some(({ state }) => !ended.includes(state) && state !== 'valid')
    const state = order.state === '' ? 'without a state' : order.state
    const tell = (what: string, how: string): { what: string } => ({ what: `${what} has ended (${how}), it stays ${state}` })
    if (over.length === 0 && !open && ended.includes(order.stateAtCa ?? '') && now - order.created > patience) {
      return { is: 'found', confidence: 'likely', blanks: tell('the order at the CA', order.stateAtCa!), because: ['order'] }
    }
    const validated = order.challenges.length > 0 && order.challenges.length >= order.authorizations.length && order.challenges.every(({ state, processing }) => state === 'valid' && !processing)
    if (validated && now - Math.max(...order.challenges.map(({ created }) => created)) > patience) {
      return { is: 'found', confidence: 'likely', blanks: { what: `every challenge is valid, it stays ${state}; the CA does not say that it is ready` }, because: ['order'] }
    }
    if (over.length === 0 || open || now - Math.max(...over.map(({ created }) => created)) < patience) return notApplicable
    return { is: 'found', confidence: 'likely', blanks: tell('its challenge', [...new Set(over.map(({ state }) => state))].join(', ')), because: ['order'] }
  }
})
