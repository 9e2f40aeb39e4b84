import type { Case, ControllerFacts, IdentifierCase, IssuerFacts, RouteClaim } from '../shared/types/case.ts'
import { duration, oneLine, plural, utcTime } from './words.ts'

/** A heading with what was seen under it. */
export interface ViewSection { title: string, lines: string[] }

/** A token is nobody's business. */
const tokenInPath = /(\/\.well-known\/acme-challenge\/).+/
/** Most lines of one heading; a large order has a hundred names. */
const most = 25

/** What the cluster says beside the failure itself: who issues, who solves, who serves the path, how cert-manager fares, what else fails. */
export function clusterView (seen: Case): ViewSection[] {
  const { issuer, controller } = seen.facts
  const failing = seen.identifiers.filter(({ name, state }) => name !== '' && state !== 'passed')
  return [
    { title: 'Issuer and solvers', lines: [...(issuer.is === 'seen' ? issuerLines(issuer.value) : []), ...failing.flatMap(choiceLines)] },
    { title: 'Who serves the path', lines: failing.flatMap(({ name, facts }) => facts.routing.is === 'seen' ? facts.routing.value.claims.map(claim => claimLine(name, claim)) : []) },
    { title: 'cert-manager itself', lines: controller.is === 'seen' ? controllerLines(controller.value, seen.now) : [] },
    { title: 'What else fails', lines: blastLines(seen) }
  ].filter(({ lines }) => lines.length > 0).map(({ title, lines }) => ({ title, lines: lines.length <= most ? lines.map(oneLine) : [...lines.slice(0, most).map(oneLine), `… ${lines.length - most} more in the JSON`] }))
}

function issuerLines ({ kind, name, exists, ready, acme }: IssuerFacts): string[] {
  if (!exists) return [`${kind} ${name} does not exist.`]
  return [
    `${kind} ${name}: ${ready === undefined ? 'no condition Ready' : `Ready=${ready.status} ${ready.reason ?? ''}: ${ready.message ?? ''}`}`,
    ...(acme === undefined ? [] : [`Account ${acme.accountUri ?? 'not registered'} at ${acme.server}`])
  ]
}

function choiceLines ({ name, wildcard, facts: { solverChoice } }: IdentifierCase): string[] {
  if (solverChoice.is !== 'seen') return []
  const { chosen, considered } = solverChoice.value
  const why = considered.map(({ index, type, fits, why: reason }) => `solver ${index} (${type}) ${fits ? 'fits' : 'does not fit'}: ${reason}`)
  return [`${wildcard ? '*.' : ''}${name}: ${chosen === undefined ? 'no solver fits' : `cert-manager picks solver ${chosen}`}; ${why.join('; ')}`]
}

function claimLine (asked: string, { kind, namespace, name, host, path, className, wins, why, ownership, backendState, addresses }: RouteClaim): string {
  const more = [className === undefined ? undefined : `class ${className}`, ownership === 'unowned' ? 'no running controller takes it' : undefined, backendState === undefined || backendState === 'ready' ? undefined : backendState.replaceAll('-', ' '), addresses.length === 0 ? 'no address' : addresses.slice(0, 3).join(', ')]
  return `${wins ? '→ ' : ''}${asked}: ${kind} ${namespace}/${name} for ${host === '' ? 'every host' : host}${path.replace(tokenInPath, '$1…')} (${more.filter(part => part !== undefined).join('; ')}): ${why}`
}

function controllerLines ({ namespace, version, ready, replicas, pods, lease, webhook, cainjector, processingChallenges, maxConcurrentChallenges, apiServices, args }: ControllerFacts, now: number): string[] {
  const part = (title: string, state: ControllerFacts['webhook']): string[] => state === undefined ? [] : [`${title}: ${state.ready} of ${state.replicas} ready`]
  return [
    `${version ?? 'version unknown'} in ${namespace}: ${ready} of ${replicas} ready`,
    ...pods.map(({ name, started, restarts, waiting, lastTermination }) => [
      `Pod ${name}`, waiting === undefined ? started === undefined ? undefined : `up since ${utcTime(started)}` : `waiting: ${waiting}`, plural(restarts, 'restart'),
      lastTermination === undefined ? undefined : `last end: ${lastTermination.reason} (exit code ${lastTermination.exitCode}${lastTermination.at === undefined ? '' : `, ${utcTime(lastTermination.at)}`})`
    ].filter(word => word !== undefined).join(', ')),
    ...(lease === undefined ? [] : [`Lease held by ${lease.holder}${lease.renewed === undefined ? '' : `, renewed ${duration(now - lease.renewed)} before this look`}`]),
    ...part('Webhook', webhook), ...part('cainjector', cainjector),
    `${plural(processingChallenges, 'Challenge')} in flight, at most ${maxConcurrentChallenges}`,
    ...apiServices.filter(({ available }) => !available).map(({ group, reason, message }) => `APIService ${group} is not available: ${[reason, message].filter(word => word !== undefined).join(': ')}`),
    ...(args.length === 0 ? [] : [`Flags: ${args.join(' ')}`])
  ]
}

function blastLines ({ blast: { issuer, groups = [], others } }: Case): string[] {
  const all = groups.some(({ by }) => by === 'issuer') ? groups : [{ by: 'issuer' as const, same: 0, ...issuer }, ...groups]
  return [
    ...all.filter(({ failing }) => failing > 0).map(({ by, name, failing, total, same, since }) => `${by} ${name}: ${failing} of ${total} others fail${since === undefined ? '' : ` since ${utcTime(since)}`}${same > 0 ? `, ${same} in the same way` : ''}`),
    ...others.map(({ namespace, certificate, same }) => `${namespace}/${certificate}${same ? ': in the same way' : ''}`)
  ]
}
