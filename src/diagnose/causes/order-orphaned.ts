import { defineCause, notApplicable } from '../cause.ts'

const ended = ['invalid', 'expired', 'errored']

/** A challenge, or the order at the CA, is over; the Order was never told, and nothing will look at it again. */
export default defineCause({
  id: 'order-orphaned',
  since: '0.1.0',
  stage: 'validation',
  needs: ['order'],
  wants: ['controller'],
  title: 'Order {order} stays {state} for ever: {what} has ended ({ended})',
  meaning: 'cert-manager still counts the order as open, so it neither fails it nor tries again. The Certificate waits without an error.',
  remedy: [
    { do: 'See the state of Order and challenges.', run: 'kubectl -n {namespace} get order,challenge -o wide' },
    'Find out why the challenge ended, from its reason and its events.',
    { do: 'Delete the Order; a new attempt follows at once.', run: 'kubectl -n {namespace} delete order {order}', changes: true }
  ],
  related: ['acme-authorization-expired', 'cert-manager-queue-saturated'],
  // cert-manager needs a moment to carry the end of a challenge into the Order.
  thresholds: { patienceSeconds: 120 },

  examine ({ order, thresholds, case: { now } }) {
    if (order.state !== 'pending' && order.state !== '') return { is: 'ruled-out', by: ['order'], because: `The Order is ${order.state}.` }
    const over = order.challenges.filter(({ state }) => ended.includes(state))
    const open = order.challenges.some(({ state }) => !ended.includes(state) && state !== 'valid')
    const blanks = { state: order.state === '' ? 'without a state' : order.state }
    if (over.length === 0 && !open && ended.includes(order.stateAtCa ?? '') && now - order.created > thresholds.patienceSeconds! * 1000) {
      return { is: 'found', confidence: 'likely', blanks: { ...blanks, what: 'the order at the CA', ended: order.stateAtCa! }, because: ['order'] }
    }
    if (over.length === 0 || open || now - Math.max(...over.map(({ created }) => created)) < thresholds.patienceSeconds! * 1000) return notApplicable
    return { is: 'found', confidence: 'likely', blanks: { ...blanks, what: 'its challenge', ended: [...new Set(over.map(({ state }) => state))].join(', ') }, because: ['order'] }
  }
})
