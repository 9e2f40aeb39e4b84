import type { Case, IdentifierCase, Text } from '../shared/types/case.ts'
import { unavailable, type Look } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { Observations } from '../shared/types/observations.ts'
import { anchorOf } from './anchor.ts'
import { scopeOf } from './attempt-scope.ts'
import { attemptsOf, historyOf, nextTry } from './attempts.ts'
import { blastRadius } from './blast.ts'
import { walkChain } from './chain.ts'
import { changesBefore } from './changes.ts'
import { addressesFacts } from './facts/addresses.ts'
import { caRecordFacts } from './facts/ca-record.ts'
import { caaFacts } from './facts/caa.ts'
import { certificateFacts } from './facts/certificate.ts'
import { challengeFacts } from './facts/challenge.ts'
import { controllerFacts } from './facts/controller.ts'
import { delegationFacts } from './facts/delegation.ts'
import { directoryFacts } from './facts/directory.ts'
import { issuerFacts } from './facts/issuer.ts'
import { namespaceFacts } from './facts/namespace.ts'
import { facts as networkPolicyFacts } from './facts/network-policy.ts'
import { orderFacts } from './facts/order.ts'
import { probeFromClusterFacts, probeFromOutsideFacts } from './facts/probes.ts'
import { requestFacts } from './facts/request.ts'
import { facts as routingFacts } from './facts/routing.ts'
import { servedFacts } from './facts/served.ts'
import { siblingFacts } from './facts/siblings.ts'
import { facts as solverChoiceFacts } from './facts/solver-choice.ts'
import { facts as solverFacts } from './facts/solver.ts'
import { txtFacts } from './facts/txt.ts'
import { vantageTable } from './facts/vantages.ts'
import { byUrgency, seedIdentifiers, stateOfIdentifier } from './identifiers.ts'
import { recordsOf } from './log-grammars/read-log.ts'
import type { LogRecord } from './log-grammars/record.ts'
import { takeSnapshot, type CorrelateContext, type IdentifierSeed } from './snapshot.ts'
import { collectTexts } from './texts.ts'
import { timelineOf } from './timeline.ts'
import { whatWasUnavailable } from './unavailable.ts'
import { parseVersion } from './version.ts'

/**
 * Makes the case of the failing attempt out of everything that was brought home. Pure: no I/O, no
 * clock but `observations.now`; the same observations give the same case, byte for byte.
 */
export function correlate (observations: Observations): Case {
  const snapshot = takeSnapshot({ ...observations, objects: withRecorded(observations) })
  const chain = walkChain(observations, snapshot)
  const seeds = seedIdentifiers(chain, observations)
  const anchor = anchorOf(chain, snapshot, observations)
  const context: CorrelateContext = { observations, snapshot, attempt: chain, identifiers: seeds, namespace: chain.namespace, anchor: anchor.time }
  const scope = scopeOf(chain, seeds, snapshot, observations)
  const records = observations.logs.flatMap(look => recordsOf(look, observations.now))

  const judged = seeds.map(seed => identifierCase(context, seed, state => stateOfIdentifier(seed, seeds, chain, state)))
  const facts = sharedFacts(context, records)
  const texts = collectTexts(context, scope, records).map(text => narrowed(text, judged))
  const identifiers = judged.map(identifier => blamed(identifier, texts)).sort(byUrgency)
  const controller = facts.controller.is === 'seen' ? facts.controller.value : undefined
  const attempts = attemptsOf(scope, snapshot, observations.recorded, texts, observations.earlier)
  const history = historyOf(attempts)
  const changes = changesBefore(scope, snapshot, anchor.time, attempts)
  const version = parseVersion(controller?.version ?? '')

  return {
    format: 1,
    now: observations.now,
    ...observations.clockAhead === undefined ? {} : { clockAhead: observations.clockAhead },
    alert: observations.alerts.findLast(({ status }) => status === 'firing') ?? observations.alerts.at(-1)!,
    subject: observations.subject,
    anchor,
    chain: chain.links,
    identifiers,
    facts,
    texts,
    timeline: timelineOf(scope, texts, changes, observations.recorded, observations.alerts),
    changes,
    attempts,
    ...history === undefined ? {} : { history },
    next: nextTry(scope, snapshot, texts, version, controller?.args ?? [], [...new Set(identifiers.filter(({ state }) => state !== 'passed').map(({ name }) => name))], observations.recorded),
    blast: blastRadius(context, zoneOf(identifiers)),
    ...version === undefined ? {} : { version },
    ...observations.kubernetesVersion === undefined ? {} : { kubernetesVersion: observations.kubernetesVersion },
    unavailable: whatWasUnavailable(observations),
    looks: observations.looks
  }
}

/** The zone of the first name that could be told. */
const zoneOf = (identifiers: readonly IdentifierCase[]): string | undefined =>
  identifiers.flatMap(({ facts: { delegation } }) => delegation.is === 'seen' ? [delegation.value.publicZone ?? delegation.value.zone] : []).find(zone => zone !== undefined && zone.includes('.'))

/** Solver objects die with the challenge: what the recorder saw of a Challenge that is still there stands in for them. */
function withRecorded ({ objects, recorded }: Observations): KubeObject[] {
  const present = new Set(objects.map(({ metadata }) => metadata.uid))
  const kept = new Map<string, KubeObject>()
  for (const { uid, objects: seenThen } of recorded) {
    if (!present.has(uid)) continue
    for (const object of seenThen ?? []) if (!present.has(object.metadata.uid)) kept.set(object.metadata.uid, object)
  }
  return kept.size === 0 ? objects : [...objects, ...kept.values()]
}

/** cert-manager does not say for which name no solver fits; the same choice made again does. */
function narrowed (text: Text, identifiers: readonly IdentifierCase[]): Text {
  if (text.wrapper !== 'solver-selection' || text.about.length > 0) return text
  const about = identifiers.filter(({ facts: { solverChoice } }) => solverChoice.is === 'seen' && solverChoice.value.chosen === undefined).map(written)
  return about.length === 0 || about.length === identifiers.length ? text : { ...text, about }
}

/** A name that no solver fits has failed, though it never gets a Challenge that could say so. */
function blamed (identifier: IdentifierCase, texts: readonly Text[]): IdentifierCase {
  const named = texts.some(({ wrapper, attempt, about }) => wrapper === 'solver-selection' && attempt === 'current' && about.includes(written(identifier)))
  return named && identifier.state === 'pending' ? { ...identifier, state: 'failed' } : identifier
}

const written = ({ name, wildcard }: IdentifierCase): string => wildcard ? `*.${name}` : name

function sharedFacts (context: CorrelateContext, records: readonly LogRecord[]): Case['facts'] {
  return {
    certificate: guarded('certificate', () => certificateFacts(context)),
    request: guarded('request', () => requestFacts(context)),
    order: guarded('order', () => orderFacts(context)),
    issuer: guarded('issuer', () => issuerFacts(context)),
    controller: guarded('controller', () => controllerFacts(context, records)),
    namespace: guarded('namespace', () => namespaceFacts(context)),
    directory: guarded('directory', () => directoryFacts(context)),
    siblings: guarded('siblings', () => siblingFacts(context))
  }
}

function identifierCase (context: CorrelateContext, seed: IdentifierSeed, stateOf: (caStatus: string | undefined) => IdentifierCase['state']): IdentifierCase {
  const solverChoice = guarded('solverChoice', () => solverChoiceFacts(context, seed))
  const known: IdentifierSeed = { ...seed, challengeType: seed.challengeType ?? (solverChoice.is === 'seen' ? solverChoice.value.challengeType : undefined) }
  const caRecord = guarded('caRecord', () => caRecordFacts(context, known))
  const facts: IdentifierCase['facts'] = {
    challenge: guarded('challenge', () => challengeFacts(context, known)),
    solverChoice,
    solver: guarded('solver', () => solverFacts(context, known)),
    routing: guarded('routing', () => routingFacts(context, known)),
    networkPolicy: guarded('networkPolicy', () => networkPolicyFacts(context, known)),
    addresses: guarded('addresses', () => addressesFacts(context, known)),
    txt: guarded('txt', () => txtFacts(context, known)),
    caa: guarded('caa', () => caaFacts(context, known)),
    delegation: guarded('delegation', () => delegationFacts(context, known)),
    probeFromCluster: guarded('probeFromCluster', () => probeFromClusterFacts(context, known)),
    probeFromOutside: guarded('probeFromOutside', () => probeFromOutsideFacts(context, known)),
    caRecord,
    served: guarded('served', () => servedFacts(context, known))
  }
  const vantages = vantageTable(facts)
  return {
    name: known.name,
    type: known.type,
    wildcard: known.wildcard,
    state: stateOf(caRecord.is === 'seen' ? caRecord.value.status : undefined),
    ...known.challengeType === undefined ? {} : { challengeType: known.challengeType },
    facts,
    ...vantages === undefined ? {} : { vantages }
  }
}

/** One fact that cannot be made out of odd objects costs itself and nothing else; the reason says that it is our fault. */
function guarded<T> (name: string, judge: () => Look<T>): Look<T> {
  try {
    return judge()
  } catch (error) {
    return unavailable(`acme-triage could not judge ${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
