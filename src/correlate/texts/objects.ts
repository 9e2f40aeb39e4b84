import type { Text } from '../../shared/types/case.ts'
import type { Condition, KubeObject } from '../../shared/types/kubernetes.ts'
import type { RecordedState } from '../../shared/types/observations.ts'
import { aboutOf, type Scope } from '../attempt-scope.ts'
import { at, conditions, fields, fieldsList, nameOf, string } from '../facts/fields.ts'
import { conditionOf, isFailure, orderInText, reasonOf, refOf, stateOf } from '../objects.ts'
import { createdAt, millisOf } from '../snapshot.ts'
import type { TextShelf } from './shelf.ts'

/** What the objects of the chain say in their status. */
export function addChainTexts (shelf: TextShelf, scope: Scope): void {
  const { chain } = scope
  for (const challenge of chain.challenges) addChallenge(shelf, challenge, scope)
  for (const order of chain.orders) {
    if (order !== chain.order) addOrder(shelf, order, 'earlier')
  }
  if (chain.order !== undefined) addOrder(shelf, chain.order, 'current')
  for (const request of chain.requests) addRequest(shelf, request, scope)
  if (chain.certificate !== undefined) addCertificate(shelf, chain.certificate, scope)
  if (chain.issuer !== undefined) addIssuer(shelf, chain.issuer)
}

function addChallenge (shelf: TextShelf, challenge: KubeObject, scope: Scope): void {
  const state = stateOf(challenge)
  const presented = at(challenge.status, 'presented') === true
  shelf.add({
    source: 'challenge', ref: nameOf(challenge), text: reasonOf(challenge), attempt: 'current', about: [aboutOf(scope.seeds, challenge)],
    // A raw text is the solver's own error while nothing is presented, and the CA's detail once the challenge is final.
    fallback: isFailure(state) ? 'authorization' : presented ? 'self-check' : 'present',
    severity: state === 'valid' ? 'info' : 'error',
    ...timeOfStatus(challenge, state)
  })
}

/** Conditions of a CertificateSigningRequest exist only when they hold: Approved, Denied or Failed. */
export function addSigningRequest (shelf: TextShelf, object: KubeObject, now: number): void {
  for (const condition of conditions(fields(object.status).conditions)) {
    if (condition.type !== 'Approved') addCondition(shelf, condition, { source: 'request', ref: nameOf(object), attempt: 'current', fallback: 'request', now })
  }
}

/** A final state was written at one moment; a pending one still stands. */
function timeOfStatus (object: KubeObject, state: string): { time?: number } {
  if (!isFailure(state)) return {}
  const written = (object.metadata.managedFields ?? []).filter(({ subresource, manager }) => subresource === 'status' || /challenges|orders/.test(manager ?? '')).map(({ time }) => millisOf(time)).filter(time => time !== undefined)
  return written.length === 0 ? {} : { time: Math.max(...written) }
}

function addOrder (shelf: TextShelf, order: KubeObject, attempt: Text['attempt']): void {
  const time = millisOf(at(order.status, 'failureTime')) ?? (attempt === 'earlier' ? createdAt(order) : undefined)
  shelf.add({ source: 'order', ref: nameOf(order), text: reasonOf(order), attempt, fallback: 'order-other', severity: 'error', ...time === undefined || time === 0 ? {} : { time } })
}

function addRequest (shelf: TextShelf, request: KubeObject, scope: Scope): void {
  const attempt = request === scope.chain.request ? 'current' : 'earlier'
  for (const condition of conditions(fields(request.status).conditions)) {
    if (condition.type === 'Ready' && condition.status === 'True') continue
    if (condition.type === 'Approved' && condition.status === 'True') continue
    addCondition(shelf, condition, { source: 'request', ref: nameOf(request), attempt, fallback: 'request', now: scope.now })
  }
}

function addCertificate (shelf: TextShelf, certificate: KubeObject, scope: Scope): void {
  const { chain } = scope
  const ref = nameOf(certificate)
  const issuing = conditionOf(certificate, 'Issuing')
  if (issuing !== undefined && issuing.status === 'False') {
    const told = orderInText(issuing.message ?? '').name
    const time = millisOf(issuing.lastTransitionTime)
    const other = (told !== undefined && chain.orderName !== undefined && told !== chain.orderName) || (time !== undefined && time < scope.start)
    addCondition(shelf, issuing, { source: 'certificate', ref, attempt: other ? 'earlier' : 'current', fallback: 'certificate', now: scope.now })
  }
  const ready = conditionOf(certificate, 'Ready')
  if (ready !== undefined && ready.status !== 'True') addCondition(shelf, ready, { source: 'certificate', ref, attempt: 'standing', fallback: 'certificate', now: scope.now })
}

function addIssuer (shelf: TextShelf, issuer: KubeObject): void {
  for (const condition of conditions(fields(issuer.status).conditions)) {
    if (condition.type !== 'Ready' || condition.status === 'True') continue
    addCondition(shelf, condition, { source: 'issuer', ref: nameOf(issuer), attempt: 'standing', fallback: 'issuer', now: 0 })
  }
}

interface ConditionPlace { source: 'request' | 'certificate' | 'issuer', ref: string, attempt: Text['attempt'], fallback: Text['wrapper'], now: number }

/** A condition holds from its transition until now, so that no window around the failure misses it. */
function addCondition (shelf: TextShelf, { reason, message, lastTransitionTime, status }: Condition, { now, ...place }: ConditionPlace): void {
  const first = millisOf(lastTransitionTime)
  const words = (message ?? '') === '' ? reason ?? '' : message!
  shelf.add({
    ...place, text: (reason ?? '') === '' || words.includes(reason!) ? words : `${reason}: ${words}`, inner: words, severity: status === 'Unknown' ? 'warning' : 'error',
    ...first === undefined ? {} : { first, last: place.attempt === 'current' ? Math.max(first, now) : first, time: first }
  })
}

/** What Pods, routes, Gateways and API services say in their status; `about` are the names that they serve. */
export function addObjectTexts (shelf: TextShelf, objects: readonly KubeObject[], about: readonly string[], attempt: Text['attempt'] = 'current'): void {
  for (const object of objects) {
    for (const { text, severity } of complaintsOf(object)) {
      shelf.add({ source: 'object', ref: nameOf(object), text, about, attempt, fallback: 'object', severity, objectKind: object.kind })
    }
  }
}

function complaintsOf (object: KubeObject): { text: string, severity: Text['severity'] }[] {
  switch (object.kind) {
    case 'Pod': return podComplaints(object)
    case 'HTTPRoute': return fieldsList(at(object.status, 'parents')).flatMap(parent => falseOnes(parent.conditions, `parent ${string(at(parent, 'parentRef', 'name'))} `))
    case 'Gateway': case 'ListenerSet': return [
      ...falseOnes(at(object.status, 'conditions'), ''),
      ...fieldsList(at(object.status, 'listeners')).flatMap(listener => falseOnes(listener.conditions, `listener ${string(listener.name)} `))
    ]
    case 'Route': return fieldsList(at(object.status, 'ingress')).flatMap(router => falseOnes(router.conditions, `router ${string(router.routerName)} `))
    // Contour and the NGINX (F5) controller give a verdict and a sentence in fields of their own.
    case 'HTTPProxy': case 'VirtualServer': {
      const verdict = string(at(object.status, 'currentStatus')) || string(at(object.status, 'state'))
      const words = string(at(object.status, 'description')) || string(at(object.status, 'message'))
      return /invalid|warning|orphaned|rejected/i.test(verdict) && words !== '' ? [{ text: `${verdict}: ${words}`, severity: 'error' }] : []
    }
    case 'APIService': return falseOnes(at(object.status, 'conditions'), '')
    default: return []
  }
}

/** Conditions whose False is bad; `Conflicted=False` and its like are good. */
function falseOnes (list: unknown, where: string): { text: string, severity: Text['severity'] }[] {
  return conditions(list)
    .filter(({ type, status }) => (status === 'False') !== (type === 'Conflicted' || type === 'Detached' || type === 'OverlappingTLSConfig') && status !== 'Unknown')
    .filter(({ type }) => /Accepted|Admitted|ResolvedRefs|Programmed|Ready|Available|Scheduled|Conflicted|Detached|Attached/.test(type))
    .map(({ type, status, reason, message }) => ({ text: `${where}${type}=${status} ${reason ?? ''}: ${message ?? ''}`.trim(), severity: 'error' as const }))
}

function podComplaints (pod: KubeObject): { text: string, severity: Text['severity'] }[] {
  const found: { text: string, severity: Text['severity'] }[] = []
  const scheduled = conditions(at(pod.status, 'conditions')).find(({ type }) => type === 'PodScheduled')
  if (scheduled?.status === 'False') found.push({ text: `PodScheduled=False ${scheduled.reason ?? ''}: ${scheduled.message ?? ''}`, severity: 'error' })
  if (string(at(pod.status, 'message')) !== '') found.push({ text: `${string(at(pod.status, 'reason'))}: ${string(at(pod.status, 'message'))}`, severity: 'error' })
  for (const container of [...fieldsList(at(pod.status, 'initContainerStatuses')), ...fieldsList(at(pod.status, 'containerStatuses'))]) {
    const name = string(container.name)
    const waiting = fields(at(container, 'state', 'waiting'))
    if (string(waiting.reason) !== '' && !['ContainerCreating', 'PodInitializing'].includes(string(waiting.reason))) found.push({ text: `container ${name} waits: ${string(waiting.reason)}: ${string(waiting.message)}`, severity: 'error' })
    for (const path of ['state', 'lastState']) {
      const ended = fields(at(container, path, 'terminated'))
      if (string(ended.reason) !== '' && string(ended.reason) !== 'Completed') found.push({ text: `container ${name} ended: ${string(ended.reason)} (exit code ${string(ended.exitCode)}) ${string(ended.message)}`.trim(), severity: 'error' })
    }
  }
  return found
}

/** States that the flight recorder kept, with their own times. */
export function addRecorded (shelf: TextShelf, recorded: readonly RecordedState[], scope: Scope): void {
  const { chain } = scope
  const current = new Set([chain.order?.metadata.uid, ...chain.challenges.map(({ metadata }) => metadata.uid)].filter(uid => uid !== undefined))
  for (const state of recorded) {
    const { at: time, kind, namespace, name, uid, reason, dnsName, order, presented } = state
    const own = current.has(uid) || (order !== undefined && order === chain.order?.metadata.uid) || (chain.order === undefined && name === chain.orderName)
    const about = dnsName === undefined ? [] : [dnsName.replace(/^\*\./, '').toLowerCase()]
    shelf.add({
      source: kind === 'Order' ? 'order' : 'challenge', ref: `${refOf(kind, namespace, name)} (recorded)`, text: reason, about, attempt: own ? 'current' : 'earlier', time, fold: true,
      fallback: kind === 'Order' ? 'order-other' : isFailure(state.state) ? 'authorization' : presented === true ? 'self-check' : 'present', severity: state.state === 'valid' ? 'info' : 'error'
    })
    // Those of the current attempt are in the snapshot already.
    if (state.objects !== undefined && !own) addObjectTexts(shelf, state.objects, about, 'earlier')
  }
}
