import type { Case, IdentifierCase, ProbeFacts } from '../shared/types/case.ts'
import type { Diagnosis, FoundCause } from '../shared/types/diagnosis.ts'
import { duration, oneLine, plural } from './words.ts'

/** ✓ fine, ✗ found, – not applicable, ? could not look. */
export type Mark = 'fine' | 'found' | 'not applicable' | 'could not look'

/** One of the seven steps of the runbook, walked by the program. */
export interface PlaybookStep { number: number, title: string, mark: Mark, finding: string, command?: string }
/** One of the five questions of the runbook's diagnosis, answered with its evidence. */
export interface Question { question: string, answer: string, mark: Mark }

/** Walks the seven steps over a case. */
export function playbook (seen: Case, diagnosis: Diagnosis): PlaybookStep[] {
  const walk = new Walk(seen, diagnosis)
  return [walk.order(), walk.challenges(), walk.http(), walk.dns(), walk.ingress(), walk.network(), walk.answer()]
}

/** Answers the five questions over the same facts. */
export function questions (seen: Case, diagnosis: Diagnosis): Question[] {
  const [, , http, dns, ingress, , answer] = playbook(seen, diagnosis)
  const limit = diagnosis.causes.concat(diagnosis.alsoFits).find(({ id }) => id === 'acme-rate-limited' || id === 'acme-identifier-paused')
  const owned = seen.identifiers.flatMap(({ facts }) => facts.addresses.is === 'seen' ? facts.addresses.value.publicAddresses : [])
  const foreign = owned.filter(({ ownedBy }) => ownedBy === undefined)
  const delegation = seen.identifiers.flatMap(({ facts }) => facts.delegation.is === 'seen' ? [facts.delegation.value] : [])
  return [
    { question: 'HTTP-01: does the challenge URL give the expected key authorization from outside?', answer: http!.finding, mark: http!.mark },
    { question: 'HTTP-01: does an ingress setting interfere?', answer: ingress!.finding, mark: ingress!.mark },
    { question: 'DNS-01: has the TXT record spread?', answer: dns!.finding, mark: dns!.mark },
    { question: 'Is it a rate limit?', answer: limit === undefined ? (answer!.mark === 'could not look' ? 'The CA\'s answer was not seen.' : 'No text of the CA speaks of a limit.') : limit.summary, mark: limit === undefined ? (answer!.mark === 'could not look' ? 'could not look' : 'fine') : 'found' },
    {
      question: 'Does the domain belong here?',
      answer: owned.length === 0
        ? 'The addresses of the names were not seen.'
        : [foreign.length === 0 ? `All ${plural(owned.length, 'address')} belong to this cluster.` : `${foreign.map(({ address }) => address).join(', ')} ${foreign.length === 1 ? 'is' : 'are'} not known as an address of this cluster.`,
            ...delegation.flatMap(({ zone, registeredDomainState }) => zone === undefined || registeredDomainState === 'unknown' ? [] : [`Delegation of ${zone}: ${registeredDomainState}.`])].join(' '),
      mark: owned.length === 0 ? 'could not look' : foreign.length === 0 ? 'fine' : 'found'
    }
  ]
}

class Walk {
  readonly seen: Case
  readonly found: FoundCause[]

  constructor (seen: Case, diagnosis: Diagnosis) {
    this.seen = seen
    this.found = [...diagnosis.causes, ...diagnosis.alsoFits]
  }

  order (): PlaybookStep {
    const { order, request } = this.seen.facts
    const title = 'Order'
    const namespace = this.seen.subject.namespace ?? ''
    const command = namespace === '' ? 'kubectl get orders -A' : `kubectl -n ${namespace} get order ${this.seen.subject.order?.name ?? ''} -o yaml`.replace('  ', ' ')
    if (order.is === 'unavailable') return { number: 1, title, mark: 'could not look', finding: order.why, command }
    if (order.is === 'absent') {
      const condition = request.is === 'seen' ? request.value.ready : undefined
      return { number: 1, title, mark: 'could not look', finding: condition?.message === undefined ? 'The Order is gone or was never made.' : `The Order is gone; its CertificateRequest says: ${oneLine(condition.message)}`, command }
    }
    const { name, state, reason, failureTime } = order.value
    const parts = [`${name} is ${state === '' ? 'without a state (the CA has not accepted it)' : state}`]
    if (failureTime !== undefined) parts.push(`failed ${duration(this.seen.now - failureTime)} before this look`)
    parts.push(reason === '' ? 'no reason given' : oneLine(reason))
    return { number: 1, title, mark: state === 'valid' ? 'fine' : 'found', finding: parts.join('; '), command: `kubectl -n ${order.value.namespace} get order ${name} -o yaml` }
  }

  challenges (): PlaybookStep {
    const title = 'Challenges'
    const namespace = this.seen.subject.namespace ?? ''
    const command = `kubectl ${namespace === '' ? '' : `-n ${namespace} `}get challenges -o wide`
    const named = this.seen.identifiers.filter(({ name }) => name !== '')
    if (named.length === 0) return { number: 2, title, mark: 'could not look', finding: 'No identifier of the order is known.', command }
    const lines = named.map(({ name, wildcard, state, challengeType, facts }) => {
      const challenge = facts.challenge.is === 'seen' ? facts.challenge.value : undefined
      const gone = facts.challenge.is === 'unavailable' ? `Challenge not readable: ${facts.challenge.why}` : state === 'passed' ? undefined : 'its Challenge is gone'
      return [`${wildcard ? '*.' : ''}${name} ${state}`, challengeType, challenge === undefined ? gone : `${challenge.presented ? 'presented' : 'not presented'}${challenge.reason === '' ? '' : `: ${oneLine(challenge.reason)}`}`].filter(part => part !== undefined).join(', ')
    })
    const bad = named.filter(({ state }) => state !== 'passed')
    return { number: 2, title, mark: bad.length === 0 ? 'fine' : bad.every(({ facts }) => facts.challenge.is === 'unavailable') ? 'could not look' : 'found', finding: lines.join(' · '), command }
  }

  http (): PlaybookStep {
    const title = 'HTTP-01 path'
    const names = this.of('HTTP-01')
    const command = `curl -sv http://${names[0]?.name ?? '<name>'}/.well-known/acme-challenge/test`
    if (names.length === 0) return notApplicable(3, title, 'No HTTP-01 challenge in this order.')
    const lines: string[] = []
    let bad = false
    for (const { name, facts } of names) {
      const record = facts.caRecord.is === 'seen' ? facts.caRecord.value : undefined
      if (record !== undefined) {
        lines.push(`${name}, the CA: ${record.problem === undefined ? record.status : oneLine(record.problem.detail)}${record.hops[0] === undefined ? '' : ` (used ${record.hops[0].addressUsed})`}`)
        bad ||= record.status === 'invalid'
      }
      for (const [where, look] of [['outside', facts.probeFromOutside], ['the cluster', facts.probeFromCluster]] as const) {
        if (look.is !== 'seen') continue
        lines.push(`${name} from ${where}: ${probeWords(look.value)}`)
        bad ||= look.value.outcome !== 'token-served' && look.value.outcome !== 'not-recorded' && look.value.outcome !== 'blocked'
      }
    }
    if (lines.length === 0) return { number: 3, title, mark: 'could not look', finding: whyNot(names.map(({ facts }) => facts.probeFromCluster)), command }
    return { number: 3, title, mark: bad ? 'found' : 'fine', finding: lines.join(' · '), command }
  }

  dns (): PlaybookStep {
    const title = 'DNS-01 record'
    const names = this.of('DNS-01')
    if (names.length === 0) return notApplicable(4, title, 'No DNS-01 challenge in this order.')
    const command = `dig +short TXT _acme-challenge.${names[0]!.name}`
    const seen = names.flatMap(({ name, facts }) => facts.txt.is === 'seen' ? [{ name, txt: facts.txt.value }] : [])
    if (seen.length === 0) return { number: 4, title, mark: 'could not look', finding: whyNot(names.map(({ facts }) => facts.txt)), command }
    const lines = seen.map(({ name, txt }) => {
      const answered = txt.servers.filter(({ failure }) => failure === undefined)
      const having = answered.filter(({ hasExpected }) => hasExpected)
      const lacking = answered.filter(({ hasExpected }) => !hasExpected).map(({ server }) => server)
      const expected = txt.expected === undefined ? 'the expected value is not known' : `${having.length} of ${answered.length} servers have the expected value`
      return `${name}: ${expected}${lacking.length > 0 && having.length > 0 ? `; not: ${lacking.join(', ')}` : ''}${txt.foreignDigests.length > 0 ? `; other values: ${txt.foreignDigests.length}` : ''}${txt.cname === undefined ? '' : `; CNAME to ${txt.cname.at(-1)}`}`
    })
    return { number: 4, title, mark: seen.every(({ txt }) => txt.state === 'everywhere') ? 'fine' : seen.every(({ txt }) => txt.state === 'unknown') ? 'could not look' : 'found', finding: lines.join(' · '), command }
  }

  ingress (): PlaybookStep {
    const title = 'Ingress'
    const names = this.of('HTTP-01')
    if (names.length === 0) return notApplicable(5, title, 'No HTTP-01 challenge in this order.')
    const command = 'kubectl get ingress,httproute -A -o wide'
    const seen = names.flatMap(({ name, facts }) => facts.routing.is === 'seen' ? [{ name, routing: facts.routing.value }] : [])
    if (seen.length === 0) return { number: 5, title, mark: 'could not look', finding: whyNot(names.map(({ facts }) => facts.routing)), command }
    const lines = seen.map(({ name, routing }) => {
      const winner = routing.claims.find(({ wins }) => wins)
      const settings = routing.claims.flatMap(claim => claim.settings.map(({ effect, field, value }) => `${effect}: ${claim.kind} ${claim.namespace}/${claim.name} ${field}=${oneLine(value)}`))
      return `${name}: ${winner === undefined ? 'nothing claims the host' : `${winner.kind} ${winner.namespace}/${winner.name} wins the path (${winner.why})`}${settings.length > 0 ? `; ${settings.join('; ')}` : ''}`
    })
    const causes = ['http01-ingress-class-mismatch', 'http01-ingress-host-conflict', 'http01-ingress-rejected', 'http01-path-type-unsupported', 'http01-redirected-to-https', 'http01-auth-on-path', 'http01-host-or-path-rewritten', 'http01-other-backend-answers', 'http01-route-not-accepted', 'http01-gateway-listener-missing', 'http01-load-balancer-not-synced', 'http01-gateway-api-disabled']
    const found = this.found.filter(({ id }) => causes.includes(id)).map(({ summary }) => summary)
    return { number: 5, title, mark: found.length > 0 ? 'found' : 'fine', finding: [...found, ...lines].join(' · '), command }
  }

  network (): PlaybookStep {
    const title = 'Network'
    const names = this.of('HTTP-01')
    const command = 'kubectl get networkpolicy -A'
    const looks = names.map(({ facts }) => facts.networkPolicy)
    const seen = looks.flatMap(look => look.is === 'seen' ? [look.value] : [])
    const directory = this.seen.facts.directory
    const lines: string[] = []
    if (directory.is === 'seen') lines.push(directory.value.reachable ? 'the CA\'s directory answers from here' : `the CA's directory does not answer: ${directory.value.failure?.text ?? directory.value.status ?? 'no answer'}`)
    for (const { solverIngress, controllerEgress, notEvaluated } of seen.slice(0, 1)) {
      lines.push(`to the solver: ${solverIngress.verdict}${solverIngress.policies.length > 0 ? ` (${solverIngress.policies.join(', ')})` : ''}`)
      lines.push(`cert-manager's own way out: ${controllerEgress.verdict}${controllerEgress.policies.length > 0 ? ` (${controllerEgress.policies.join(', ')})` : ''}`)
      if (notEvaluated.length > 0) lines.push(`present, not evaluated: ${notEvaluated.join(', ')}`)
    }
    if (lines.length === 0) return { number: 6, title, mark: 'could not look', finding: whyNot(looks), command }
    const causes = ['http01-network-policy-blocks', 'http01-port80-blocked', 'http01-hairpin-blocked', 'http01-self-check-egress-blocked', 'acme-server-unreachable', 'http01-connection-filtered', 'acme-secondary-validation-failed', 'dns01-nameserver-unreachable']
    const found = this.found.filter(({ id }) => causes.includes(id)).map(({ summary }) => summary)
    return { number: 6, title, mark: found.length > 0 ? 'found' : 'fine', finding: [...found, ...lines].join(' · '), command }
  }

  answer (): PlaybookStep {
    const title = 'ACME answer'
    const namespace = this.seen.facts.controller.is === 'seen' ? this.seen.facts.controller.value.namespace : 'cert-manager'
    const command = `kubectl -n ${namespace} logs deploy/cert-manager --since=24h | grep -F '${this.seen.subject.order?.name ?? this.seen.subject.certificate?.name ?? 'acme:error'}'`
    const problems = this.seen.texts.filter(({ problem, attempt }) => problem !== undefined && attempt === 'current')
    const unique = [...new Map(problems.map(({ problem }) => [problem!.detail, problem!])).values()]
    if (unique.length > 0) return { number: 7, title, mark: 'found', finding: unique.slice(0, 3).map(({ type, detail, status }) => `${[status, type].filter(part => part !== undefined && part !== '').join(' ')}: ${oneLine(detail)}`).join(' · '), command }
    const logs = this.seen.unavailable.find(({ source }) => source.startsWith('log'))
    if (logs !== undefined) return { number: 7, title, mark: 'could not look', finding: logs.why, command }
    const order = this.seen.facts.order.is === 'seen' ? this.seen.facts.order.value : undefined
    if (order !== undefined && ['invalid', 'errored', 'expired'].includes(order.state)) return { number: 7, title, mark: 'could not look', finding: 'The CA refused, and no text that is left says why: the Challenge, its Events and the log lines are gone.', command }
    return { number: 7, title, mark: 'fine', finding: 'No problem document of the CA for this attempt: the CA was not asked, or did not refuse.', command }
  }

  of (type: 'HTTP-01' | 'DNS-01'): IdentifierCase[] {
    return this.seen.identifiers.filter(({ name, challengeType, state }) => name !== '' && challengeType === type && state !== 'passed')
  }
}

function notApplicable (number: number, title: string, finding: string): PlaybookStep { return { number, title, mark: 'not applicable', finding } }

function whyNot (looks: { is: string, why?: string }[]): string {
  return looks.flatMap(({ why }) => why === undefined ? [] : [why])[0] ?? 'Nothing was recorded.'
}

function probeWords ({ outcome, address, status, bodyKind, redirectedToHttps }: ProbeFacts): string {
  const words = outcome === 'token-served' ? `the right key from ${address}` : outcome === 'status' ? `status ${status} from ${address}` : `${outcome.replaceAll('-', ' ')} at ${address}`
  return `${words}${bodyKind !== undefined && bodyKind !== 'key-authorization' ? ` (${bodyKind.replaceAll('-', ' ')})` : ''}${redirectedToHttps ? ', redirected to https' : ''}`
}
