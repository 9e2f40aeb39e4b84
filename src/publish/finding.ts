import type { Case, VantageRow } from '../shared/types/case.ts'
import type { Alert, Evidence, Millis } from '../shared/types/common.ts'
import type { Confidence, Diagnosis, FoundCause, Step } from '../shared/types/diagnosis.ts'
import { redactText } from '../shared/redact.ts'
import { clusterView, type ViewSection } from './cluster-view.ts'
import { bulletsOf, factsOf, recent, subjectOf, vantagesOf } from './finding-facts.ts'
import { impactOf, type Impact } from './impact.ts'
import { playbook, questions, type PlaybookStep, type Question } from './runbook.ts'
import { clip, duration, oneLine, plural } from './words.ts'

/** What the incident is at this moment. `noticed`: only the alert is known yet. */
export type FindingState = 'noticed' | 'diagnosed' | 'healed' | 'resolved'

/** What publish is told; case and diagnosis are missing at first notice. */
export interface FindingInput {
  incident: {
    id: string
    state: FindingState
    namespace: string
    certificate: string
    order: string
    cluster?: string
    opened: Millis
    closed?: Millis
    /** What made it heal, when known. */
    fixedBy?: string
    /** Alerts of Alertmanager that were folded into this incident. */
    alerts?: number
    /** Alerts that Alertmanager left out of the body (`truncatedAlerts`). */
    truncatedAlerts?: number
  }
  alert: Alert
  case?: Case
  diagnosis?: Diagnosis
  links: { report?: string, runbook?: string, silence?: string, previous?: string }
  /** Milliseconds from the alert's arrival. */
  timings: { notice?: Millis, diagnosis?: Millis }
}

/**
 * One finding, which every renderer reads: plain sentences and lists with secrets taken out.
 * Renderers lay out; they decide nothing.
 */
export interface Finding {
  format: 1
  incident: FindingInput['incident']
  /** Status as symbol and word, since colour alone tells nothing to a screen reader. */
  symbol: string
  word: string
  /** `shop/shop-tls`, or the best name there is. */
  name: string
  /** What follows the name on the first line. */
  headline: string
  /** One full sentence: status, object, cause, next step. */
  sentence: string
  causes: FoundCause[]
  alsoFits: FoundCause[]
  /** The leading cause explained, with confidence and who says so. */
  explanation: string
  doThis?: Step
  impact: Impact
  /** Short pairs such as `Served certificate: 27 days left`. */
  facts: { label: string, value: string, time?: Millis }[]
  bullets: { text: string, time?: Millis }[]
  steps: PlaybookStep[]
  questions: Question[]
  ruledOut: { id: string, because: string }[]
  unavailable: { source: string, why: string, fix?: string }[]
  /** Copy-ready, read-only first. */
  commands: Step[]
  nextLooks: Step[]
  fallback: Diagnosis['fallback']
  searched: string
  /** Which label decided, what was tried, what is wrong with the rule. */
  subject: string[]
  /** What every place sees of a name, side by side, and how they differ. */
  vantages: { name: string, rows: VantageRow[], differences: string[] }[]
  /** What the cluster says beside the failure, for the page. */
  cluster: ViewSection[]
  timeline: Case['timeline']
  changes: Case['changes']
  attempts: Case['attempts']
  blast?: Case['blast']
  next?: Case['next']
  alertName: string
  severity: string
  looks: { answered: number, total: number }
  timings: FindingInput['timings']
  links: FindingInput['links']
  closed?: string
}

/** Makes the finding: the only place where a case and a diagnosis become sentences. */
export function makeFinding (input: FindingInput): Finding {
  const finding = openFinding(input)
  return isOpen(input.incident.state) ? finding : closeFinding(finding, input.incident)
}

/** The incident still wants somebody. */
export const isOpen = (state: FindingState): boolean => state === 'noticed' || state === 'diagnosed'

/** The same finding once it is over: how long it took, what it was, and nothing that is no longer true. */
export function closeFinding (finding: Finding, incident: Pick<Finding['incident'], 'state' | 'closed' | 'fixedBy'>): Finding {
  const { opened } = finding.incident
  const closed = `after ${duration((incident.closed ?? opened) - opened)}${incident.fixedBy === undefined || incident.fixedBy === '' ? '' : `: ${incident.fixedBy}`}`
  const [symbol, word] = incident.state === 'healed' ? ['🟢', 'Healed'] : ['✅', 'Resolved']
  const headline = `${incident.state} ${closed}`
  return {
    ...finding,
    incident: { ...finding.incident, ...incident },
    symbol,
    word,
    headline,
    sentence: clip(oneLine(`${word}: ${finding.name}: ${headline}.`), 900),
    closed,
    doThis: undefined,
    facts: [],
    bullets: finding.causes.slice(0, 3).map(({ summary, confidence }) => ({ text: `It was: ${summary} (${confidence})` })),
    nextLooks: []
  }
}

function openFinding (input: FindingInput): Finding {
  const { incident, alert, case: seen, diagnosis } = input
  const clean = cleaner(seen)
  const causes = (diagnosis?.causes ?? []).map(cause => cleanCause(cause, clean))
  const impact = impactOf(seen, alert)
  const name = nameOf(input)
  const headline = headlineOf(input, causes, impact)
  const [symbol, word] = signOf(input, impact)
  const doThis = doThisOf(causes, diagnosis)
  return {
    format: 1,
    incident,
    symbol,
    word,
    name,
    headline,
    sentence: clip(oneLine(`${word}: ${name}: ${headline}. ${impact.text}${doThis === undefined ? '' : ` Do this: ${doThis.text}`}`), 900),
    causes,
    alsoFits: (diagnosis?.alsoFits ?? []).map(cause => cleanCause(cause, clean)),
    explanation: explanationOf(input, causes),
    doThis,
    impact,
    facts: factsOf(input, impact).map(fact => ({ ...fact, value: clean(fact.value) })),
    bullets: bulletsOf(input, causes),
    steps: seen === undefined || diagnosis === undefined ? [] : playbook(seen, diagnosis).map(step => ({ ...step, finding: clean(step.finding) })),
    questions: seen === undefined || diagnosis === undefined ? [] : questions(seen, diagnosis).map(question => ({ ...question, answer: clean(question.answer) })),
    ruledOut: (diagnosis?.ruledOut ?? []).map(({ id, because }) => ({ id, because: clean(oneLine(because)) })),
    unavailable: diagnosis?.unavailable ?? [],
    commands: readOnlyFirst(causes.flatMap(({ steps }) => steps.filter(({ command }) => command !== undefined))),
    nextLooks: diagnosis?.nextLooks ?? [],
    fallback: diagnosis?.fallback ?? [],
    searched: diagnosis === undefined ? '' : searchedOf(diagnosis),
    subject: subjectOf(input),
    vantages: vantagesOf(seen, clean),
    cluster: (seen === undefined ? [] : clusterView(seen)).map(({ title, lines }) => ({ title, lines: lines.map(clean) })),
    timeline: recent(seen).map(entry => ({ ...entry, text: clean(entry.text) })),
    changes: seen?.changes ?? [],
    // What the recorder kept of them is in the case, and may be large.
    attempts: (seen?.attempts ?? []).map(attempt => ({ ...attempt, texts: attempt.texts.map(clean), recorded: undefined })),
    blast: seen?.blast,
    next: seen?.next,
    alertName: alert.labels.alertname ?? 'alert',
    severity: alert.labels.severity ?? '',
    looks: { answered: (seen?.looks ?? []).filter(({ is }) => is !== 'unavailable').length, total: seen?.looks.length ?? 0 },
    timings: input.timings,
    links: input.links
  }
}

function cleaner (seen: Case | undefined): (text: string) => string {
  const secrets = (seen?.identifiers ?? []).flatMap(({ facts }) => facts.challenge.is === 'seen' && facts.challenge.value.type === 'HTTP-01' ? [facts.challenge.value.key, facts.challenge.value.token] : [])
  return text => redactText(text, secrets)
}

function cleanCause (cause: FoundCause, clean: (text: string) => string): FoundCause {
  return {
    ...cause,
    summary: oneLine(clean(cause.summary)),
    meaning: clean(cause.meaning),
    steps: cause.steps.map(step => ({ ...step, text: clean(step.text), ...(step.command === undefined ? {} : { command: clean(step.command) }) })),
    evidence: distinct(cause.evidence).map(item => ({ ...item, ref: clean(item.ref), text: clean(item.text) }))
  }
}

/** The same words come wrapped by the CA, the Challenge, an Event and the log: the first who says them is enough. */
function distinct (evidence: Evidence[]): Evidence[] {
  const tails = new Set<string>()
  return evidence.filter(({ text }) => {
    const folded = oneLine(text).toLowerCase()
    const tail = folded.slice(-48)
    if (folded.length > 60 && tails.has(tail)) return false
    tails.add(tail)
    return true
  })
}

function nameOf ({ incident, alert, case: seen }: FindingInput): string {
  const object = incident.certificate || incident.order || seen?.subject.issuer?.name || alert.labels.domain || alert.labels.name || ''
  const name = incident.namespace !== '' && object !== '' ? `${incident.namespace}/${object}` : object || incident.namespace || 'an order that the alert does not name'
  return oneLine(incident.cluster === undefined ? name : `${name} (${incident.cluster})`)
}

function headlineOf ({ diagnosis }: FindingInput, causes: FoundCause[], { renewal }: Impact): string {
  const failed = renewal === undefined ? 'ACME order failed' : renewal ? 'renewal failed' : 'first certificate failed'
  const [first, second] = causes
  if (first === undefined) return diagnosis === undefined ? `${failed}, looking for the cause` : `${failed} – no cause found in the windows`
  return `${failed} – ${inSentence(first.summary)}${second === undefined ? '' : ` (and ${plural(causes.length - 1, 'other cause')})`}`
}

/** A summary begins with a capital; behind a dash only names keep theirs. */
function inSentence (summary: string): string {
  return /^[A-Z][a-z]* /.test(summary) && !/^(?:DNS|TLS|Let|Ingress|Issuer|Cloudflare|Route|Kubernetes|Gateway|NetworkPolicy|Certificate|Order|Challenge|Secret|Google|Azure)\b/.test(summary) ? summary.charAt(0).toLowerCase() + summary.slice(1) : summary
}

function signOf ({ diagnosis }: FindingInput, { urgency }: Impact): [string, string] {
  if (diagnosis === undefined) return ['⚪', 'Noticed']
  if (urgency === 'now') return ['🔴', 'Act now']
  return urgency === 'today' ? ['🟠', 'Act today'] : urgency === 'can wait' ? ['🟡', 'Can wait'] : ['🟠', 'Urgency unknown']
}

const voices: Record<Confidence, string> = { proven: 'proven', likely: 'likely', possible: 'possible, not certain' }

function explanationOf ({ diagnosis }: FindingInput, causes: FoundCause[]): string {
  if (diagnosis === undefined) return 'The cluster, the logs, DNS, the web and the CA are being asked; this message will be edited.'
  const [first] = causes
  if (first === undefined) return `Nothing that was seen in ${searchedOf(diagnosis)} explains the failure. What could be checked is listed in the thread.`
  return `${oneLine(first.meaning)} (${voices[first.confidence]}${first.evidence[0] === undefined ? '' : `: ${spokenSource(first.evidence[0])}`})`
}

function spokenSource ({ source, ref }: Evidence): string {
  const speakers: Record<Evidence['source'], string> = {
    alert: 'the alert', certificate: 'the Certificate', request: 'the CertificateRequest', order: 'the Order', challenge: 'the Challenge', issuer: 'the issuer',
    event: 'an Event', log: 'cert-manager\'s log', object: ref, change: 'a change', dns: 'DNS', http: 'a probe', tls: 'a TLS handshake', acme: 'the CA\'s own record'
  }
  return speakers[source]
}

function doThisOf (causes: FoundCause[], diagnosis: Diagnosis | undefined): Step | undefined {
  const steps = causes[0]?.steps ?? []
  return steps.find(({ changes, command }) => changes || command === undefined) ?? steps[0] ?? diagnosis?.nextLooks[0]
}

function readOnlyFirst (steps: Step[]): Step[] {
  const unique = [...new Map(steps.map(step => [step.command, step])).values()]
  return [...unique.filter(({ changes }) => !changes), ...unique.filter(({ changes }) => changes)]
}

function searchedOf ({ searched, anchor }: Diagnosis): string {
  const widest = searched.at(-1)
  return `the ${searched.length === 1 ? '' : `${searched.length} windows up to `}${widest} around ${new Date(anchor.time).toISOString().slice(0, 19)}Z (${anchor.from})`
}
