import type { Attempt, Case, NextTry, RateBudget, Text } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { EarlierDiagnosis, RecordedState } from '../shared/types/observations.ts'
import type { Scope } from './attempt-scope.ts'
import { signatureOf } from './blast.ts'
import { flag } from './facts/controller.ts'
import { at } from './facts/fields.ts'
import { peelWrapper } from './acme-problem.ts'
import { conditionOf, isFailure, reasonOf, stateOf } from './objects.ts'
import { caKindOf, rateBudgets, type CaKind } from './rate-budget.ts'
import { compare, controllerOf, createdAt, millisOf, type Snapshot } from './snapshot.ts'
import { atLeast } from './version.ts'

/** All attempts of the Certificate that can still be seen or were recorded, oldest first. */
export function attemptsOf (scope: Scope, snapshot: Snapshot, recorded: readonly RecordedState[], texts: readonly Text[], earlier: readonly EarlierDiagnosis[] = []): Attempt[] {
  const { chain } = scope
  const attempts: Attempt[] = chain.orders.map(order => {
    const current = order === chain.order
    return {
      order: order.metadata.name, uid: order.metadata.uid, at: createdAt(order), state: stateOf(order), current,
      texts: current ? currentTexts(texts) : unique([reasonOf(order), ...snapshot.ownedBy(order.metadata.uid, 'Challenge').filter(challenge => stateOf(challenge) !== 'valid').map(reasonOf)]),
      ...recordedOf(recorded, order.metadata.uid)
    }
  })
  if (chain.order === undefined && (chain.request !== undefined || chain.orderName !== undefined)) {
    attempts.push({
      ...chain.orderName === undefined ? {} : { order: chain.orderName }, at: chain.request === undefined ? scope.now : createdAt(chain.request),
      state: chain.orderState ?? '', current: true, texts: currentTexts(texts)
    })
  }
  // Attempts whose objects are gone, from what the recorder kept of them.
  const gone = new Map<string, RecordedState[]>()
  for (const state of recorded) {
    const uid = state.kind === 'Order' ? state.uid : state.order
    if (uid === undefined || attempts.some(attempt => attempt.uid === uid)) continue
    gone.set(uid, [...gone.get(uid) ?? [], state])
  }
  for (const [uid, states] of gone) {
    const order = states.findLast(({ kind }) => kind === 'Order')
    attempts.push({ uid, ...order === undefined ? {} : { order: order.name }, at: states[0]!.at, state: order?.state ?? states.at(-1)!.state, current: false, texts: unique(states.filter(({ state }) => state !== 'valid').map(({ reason }) => reason)), recorded: states })
  }
  // And those that only we remember.
  for (const { at: time, orderUid: uid, order, cause, confidence } of earlier) {
    if (uid === '') continue
    let attempt = attempts.find(other => other.uid === uid)
    if (attempt === undefined) attempts.push(attempt = { uid, ...order === '' ? {} : { order }, at: time, state: '', current: false, texts: [] })
    attempt.said = { cause, confidence }
  }
  attempts.sort((a, b) => a.at - b.at || compare(a.uid ?? '', b.uid ?? ''))
  return compared(numbered(attempts, chain.certificate))
}

/** Which attempts failed with the words of the current one. */
function compared (attempts: Attempt[]): Attempt[] {
  const signatures = new Map(attempts.map(attempt => [attempt, new Set(attempt.texts.map(signatureOf))]))
  const current = attempts.find(attempt => attempt.current)
  if (current === undefined) return attempts
  const own = signatures.get(current)!
  for (const attempt of attempts) {
    const theirs = signatures.get(attempt)!
    if (attempt !== current && own.size > 0 && theirs.size > 0) attempt.same = [...theirs].some(signature => own.has(signature))
    else if (attempt !== current && current.said !== undefined && attempt.said !== undefined) attempt.same = attempt.said.cause === current.said.cause
  }
  return attempts
}

/** The failures before the current attempt, in one sentence; undefined when there is nothing to compare. */
export function historyOf (attempts: readonly Attempt[]): string | undefined {
  const before = attempts.slice(0, attempts.findIndex(({ current }) => current)).filter(({ same }) => same !== undefined)
  const last = before.at(-1)
  if (last === undefined) return undefined
  const run = before.length - 1 - before.findLastIndex(({ same }) => same === false)
  const current = attempts.find(attempt => attempt.current)
  if (run === before.length) return `The same failure in ${before.length === 1 ? 'the attempt before' : `all ${before.length} attempts before`}.`
  const changedAt = before[before.length - run] ?? current
  const other = before[before.length - run - 1]!
  const place = changedAt?.number === undefined ? changedAt === current ? 'this attempt' : 'an earlier attempt' : `attempt ${changedAt.number}`
  return `The failure changed at ${place}; before: ${other.texts[0]?.slice(0, 160) ?? other.said?.cause ?? 'another one'}`
}

const currentTexts = (texts: readonly Text[]): string[] => unique(texts.filter(({ attempt, severity }) => attempt === 'current' && severity !== 'info').map(({ core }) => core)).slice(0, 5)
const unique = (texts: readonly string[]): string[] => [...new Set(texts.filter(text => text !== '').map(text => peelWrapper(text).core))].slice(0, 5)

function recordedOf (recorded: readonly RecordedState[], uid: string): { recorded?: RecordedState[] } {
  const states = recorded.filter(state => state.uid === uid || state.order === uid)
  return states.length === 0 ? {} : { recorded: states }
}

/** cert-manager counts failures in a row; the newest failed attempt has that number. */
function numbered (attempts: Attempt[], certificate: KubeObject | undefined): Attempt[] {
  const failed = at(certificate?.status, 'failedIssuanceAttempts')
  let number = typeof failed === 'number' ? failed : 0
  const newest = attempts.at(-1)
  if (newest !== undefined && !isFailure(newest.state) && newest.state !== 'valid') number++
  for (const attempt of attempts.toReversed()) {
    if (number < 1 || attempt.state === 'valid') break
    attempt.number = number--
  }
  return attempts
}

/** When cert-manager tries again by itself, and how to start it sooner without doing harm. */
export function nextTry (scope: Scope, snapshot: Snapshot, texts: readonly Text[], version: Case['version'], args: readonly string[], names: readonly string[] = [], recorded: readonly RecordedState[] = []): NextTry {
  const { chain } = scope
  const budgets = rateBudgets({ issuer: chain.issuer, order: chain.order, names, snapshot, recorded, texts, now: scope.now })
  const next = whenNext(scope, snapshot, texts, version, args, restartAdvice(scope, texts, budgets))
  return budgets.length === 0 || chain.orderState === 'valid' ? next : { ...next, budgets }
}

function whenNext ({ chain }: Scope, snapshot: Snapshot, texts: readonly Text[], version: Case['version'], args: readonly string[], restart: NextTry['restart']): NextTry {
  const state = chain.orderState
  const { certificate, order } = chain
  const failures = at(certificate?.status, 'failedIssuanceAttempts')
  const last = millisOf(at(certificate?.status, 'lastFailureTime'))
  const issuing = conditionOf(certificate, 'Issuing')
  if (state === 'valid') return { why: 'The order is valid.', restart: [] }
  if (issuing?.status !== 'True' && last !== undefined) {
    const attempt = typeof failures === 'number' && failures > 0 ? failures : 1
    const { wait, text } = backoff(attempt, version, args)
    return { at: last + wait, why: `cert-manager waits ${text} after failure ${attempt} of ${new Date(last).toISOString()}.`, attempt: attempt + 1, restart }
  }
  if (order === undefined) return { why: chain.request === undefined ? 'No attempt is under way that could be seen.' : 'The request has no order yet; it goes on by itself once what it waits for is there.', restart }
  const challenges = snapshot.ownedBy(order.metadata.uid, 'Challenge')
  if (state === '') return { why: 'The order was not accepted by the CA yet; cert-manager tries again after 5 s, 10 s, 20 s … up to 30 min.', restart }
  if (texts.some(({ attempt, wrapper }) => attempt === 'current' && wrapper === 'solver-selection')) return { why: 'The order stays pending for ever: nothing tries again until it is deleted.', restart }
  if (challenges.length > 0 && challenges.every(challenge => isFailure(stateOf(challenge)) || stateOf(challenge) === 'valid') && !isFailure(state ?? '')) return { why: 'Every challenge is final and the order still pending: nothing tries again until it is deleted.', restart }
  if (isFailure(state ?? '')) return { why: 'The order has failed; the time of the failure is not on the Certificate yet, so the next try is not known.', restart }
  return { why: 'The attempt is still under way: cert-manager repeats what failed (self-checks every 10 s, presenting after 5 s, 10 s … up to 30 min).', restart }
}

/** 1 h, 2 h, 4 h … 32 h since v1.8; one hour before. The limits are flags since v1.20 and v1.21. */
function backoff (failures: number, version: Case['version'], args: readonly string[]): { wait: Millis, text: string } {
  const least = durationOf(flag(args, 'certificate-request-minimum-backoff-duration')) ?? 3_600_000
  const most = durationOf(flag(args, 'certificate-request-maximum-backoff-duration')) ?? 32 * 3_600_000
  const wait = atLeast(version, 1, 8) === false ? 3_600_000 : Math.min(Math.max(least, most), least * 2 ** Math.min(failures - 1, 20))
  const hours = wait / 3_600_000
  return { wait, text: Number.isInteger(hours) ? `${hours} h` : `${Math.round(wait / 60_000)} min` }
}

/** Go's durations: `1h30m`, `90s`. */
export function durationOf (text: string | undefined): Millis | undefined {
  if (text === undefined || !/^(?:\d+(?:\.\d+)?(?:ms|h|m|s))+$/.test(text)) return undefined
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * units[unit!]!, 0)
}

/** Names of Kubernetes objects only: what an alert says is not put into a command. */
const isName = (name: string | undefined): name is string => name !== undefined && /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)

const firstRepair: Record<CaKind, string> = {
  'lets-encrypt': 'Let\'s Encrypt allows 5 failed validations per name and hour, and each restart uses one up.',
  'lets-encrypt-staging': 'each restart is one more failed validation, of which the staging server allows 200 per name and hour.',
  other: 'each restart is one more failed validation, and CAs limit those.'
}

function restartAdvice ({ chain, namespace }: Scope, texts: readonly Text[], budgets: readonly RateBudget[]): NextTry['restart'] {
  const advice: NextTry['restart'] = []
  const limited = texts.find(({ attempt, problem }) => attempt === 'current' && problem?.type === 'rateLimited' && problem.status !== 503)
  const until = /retry after (\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} UTC)/i.exec(limited?.whole ?? '')?.[1]
  if (limited !== undefined) advice.push({ text: `Do not start it again ${until === undefined ? 'before the limit has passed' : `before ${until}`}: each try is refused and may prolong the limit.`, changes: false })
  else if (texts.some(({ attempt, wrapper }) => attempt === 'current' && (wrapper === 'authorization' || wrapper === 'ca'))) advice.push({ text: `Repair the cause first: ${firstRepair[caKindOf(chain.issuer)]}`, changes: false })
  // The scarcest first; the rest of a large order's names say nothing new.
  for (const { from, text } of budgets.slice(0, 3)) if (from === 'history') advice.push({ text, changes: false })
  const { certificateName, order, orderName, requestName } = chain
  if (isName(namespace) && isName(certificateName)) advice.push({ text: 'Start a new attempt once the cause is repaired (skips the wait):', command: `cmctl renew -n ${namespace} ${certificateName}`, changes: true })
  const stuck = order !== undefined && !isFailure(stateOf(order)) && stateOf(order) !== 'valid'
  if (stuck && isName(namespace) && isName(orderName)) advice.push({ text: 'The order is still open; deleting it makes cert-manager place a new one at once:', command: `kubectl -n ${namespace} delete order ${orderName}`, changes: true })
  else if (certificateName === undefined && order !== undefined && isName(namespace) && isName(requestName)) {
    const owner = controllerOf(order)
    if (owner?.kind === 'CertificateRequest') advice.push({ text: 'No Certificate owns this request; make the request anew:', command: `kubectl -n ${namespace} delete certificaterequest ${requestName}`, changes: true })
  }
  return advice
}
