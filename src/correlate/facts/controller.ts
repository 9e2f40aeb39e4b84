import type { ControllerFacts } from '../../shared/types/case.ts'
import { absent, seen, unavailable, type Evidence, type Look } from '../../shared/types/common.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { LogRecord } from '../log-grammars/record.ts'
import { compare, workloadsOf, type CorrelateContext } from '../snapshot.ts'
import { parseVersion } from '../version.ts'
import { times } from './certificate.ts'
import { at, conditions, fields, fieldsList, labelsOf, nameOf, string, strings, type Fields } from './fields.ts'

type Component = 'controller' | 'webhook' | 'cainjector'

/** cert-manager itself: version, flags, health, queue. `records` are its log entries, for what only they tell. */
export function controllerFacts ({ snapshot, observations }: CorrelateContext, records: readonly LogRecord[] = []): Look<ControllerFacts> {
  const workloads = workloadsOf(snapshot)
  const controller = pick(workloads, 'controller')
  const pods = podsOf(snapshot.byKind('Pod'), controller)
  if (controller === undefined && pods.length === 0) {
    const listed = snapshot.list('Deployment', observations.clusterResourceNamespace)
    if (listed.is === 'unavailable') return unavailable(listed.why, listed.fix)
    return absent
  }
  const template = fields(at(controller?.spec, 'template', 'spec'))
  const container = containerOf(template.containers ?? at(pods[0]?.spec, 'containers'))
  const args = [...strings(container.command).slice(1), ...strings(container.args)]
  const namespace = controller?.metadata.namespace ?? pods[0]?.metadata.namespace ?? ''
  const replicas = controller === undefined ? pods.length : wantedOf(controller)
  const ready = controller === undefined ? pods.filter(isReady).length : readyOf(controller)
  const lease = leaseOf(snapshot.byKind('Lease'))
  const serviceAccount = string(template.serviceAccountName) || string(at(pods[0]?.spec, 'serviceAccountName'))
  const version = versionOf(controller, container, pods, snapshot.byKind('CustomResourceDefinition'), records)
  const facts: Omit<ControllerFacts, 'evidence'> = {
    namespace,
    ...serviceAccount === '' ? {} : { serviceAccount },
    ...version === undefined ? {} : { version },
    args,
    env: Object.fromEntries(fieldsList(container.env).filter(({ name, value }) => typeof name === 'string' && typeof value === 'string').map(({ name, value }) => [string(name), string(value)])),
    replicas,
    ready,
    pods: pods.map(podFacts),
    ...lease === undefined ? {} : { lease },
    webhook: componentOf(workloads, 'webhook'),
    cainjector: componentOf(workloads, 'cainjector'),
    maxConcurrentChallenges: numberOf(flag(args, 'max-concurrent-challenges'), 60),
    processingChallenges: snapshot.byKind('Challenge').filter(challenge => at(challenge.status, 'processing') === true).length,
    apiServices: snapshot.byKind('APIService').map(apiServiceFacts),
    ...gatewayApi(args, records)
  }
  return seen({ ...facts, evidence: evidenceOf(facts, controller, workloads) })
}

function pick (workloads: readonly KubeObject[], component: Component): KubeObject | undefined {
  const name = component === 'controller' ? 'cert-manager' : `cert-manager-${component}`
  return workloads.find(object => {
    const labels = labelsOf(object)
    const part = labels.get('app.kubernetes.io/component')
    const app = labels.get('app.kubernetes.io/name') ?? labels.get('app') ?? labels.get('name')
    if (part === component && (app === 'cert-manager' || app === component || app === name)) return true
    return component === 'controller' ? part === undefined && app === 'cert-manager' && !/webhook|cainjector/.test(object.metadata.name) : false
  }) ?? workloads.find(({ metadata }) => metadata.name === name)
}

function podsOf (pods: readonly KubeObject[], controller: KubeObject | undefined): KubeObject[] {
  return pods.filter(pod => {
    const labels = labelsOf(pod)
    if (controller !== undefined && pod.metadata.namespace !== controller.metadata.namespace) return false
    const selector = fields(at(controller?.spec, 'selector', 'matchLabels'))
    if (controller !== undefined && Object.keys(selector).length > 0) return Object.entries(selector).every(([name, value]) => labels.get(name) === value)
    return labels.get('app.kubernetes.io/component') === 'controller' && labels.get('app.kubernetes.io/name') === 'cert-manager'
  })
}

function containerOf (containers: unknown): Fields {
  const list = fieldsList(containers)
  return list.find(({ name }) => name === 'cert-manager-controller' || name === 'cert-manager') ?? list[0] ?? {}
}

const isReady = (pod: KubeObject): boolean => conditions(at(pod.status, 'conditions')).some(({ type, status }) => type === 'Ready' && status === 'True')

function podFacts (pod: KubeObject): ControllerFacts['pods'][number] {
  const status = fieldsList(at(pod.status, 'containerStatuses'))
  const own = status.find(({ name }) => name === 'cert-manager-controller' || name === 'cert-manager') ?? status[0] ?? {}
  const terminated = fields(at(own, 'lastState', 'terminated'))
  const waiting = string(at(own, 'state', 'waiting', 'reason'))
  return {
    name: pod.metadata.name,
    ready: isReady(pod),
    ...times({ started: at(own, 'state', 'running', 'startedAt') ?? at(pod.status, 'startTime') }),
    restarts: numberOf(own.restartCount, 0),
    ...Object.keys(terminated).length === 0
      ? {}
      : { lastTermination: { reason: string(terminated.reason), exitCode: numberOf(terminated.exitCode, 0), ...times({ at: terminated.finishedAt }) } },
    ...waiting === '' ? {} : { waiting }
  }
}

/** A DaemonSet counts Nodes. */
const wantedOf = ({ spec, status }: KubeObject): number => numberOf(at(spec, 'replicas') ?? at(status, 'desiredNumberScheduled'), 1)
const readyOf = ({ status }: KubeObject): number => numberOf(at(status, 'readyReplicas') ?? at(status, 'numberReady'), 0)

function componentOf (workloads: readonly KubeObject[], component: Component): { ready: number, replicas: number } | undefined {
  const found = pick(workloads, component)
  return found === undefined ? undefined : { ready: readyOf(found), replicas: wantedOf(found) }
}

function leaseOf (leases: readonly KubeObject[]): ControllerFacts['lease'] {
  const lease = leases.find(({ metadata }) => metadata.name === 'cert-manager-controller')
  return lease === undefined ? undefined : { holder: string(at(lease.spec, 'holderIdentity')), ...times({ renewed: at(lease.spec, 'renewTime') }) }
}

function apiServiceFacts (object: KubeObject): ControllerFacts['apiServices'][number] {
  const available = conditions(at(object.status, 'conditions')).find(({ type }) => type === 'Available')
  return {
    group: `${string(at(object.spec, 'group'))}/${string(at(object.spec, 'version'))}`,
    available: available?.status === 'True',
    ...(available?.reason ?? '') === '' ? {} : { reason: available!.reason },
    ...(available?.message ?? '') === '' ? {} : { message: available!.message }
  }
}

/** The value of `--name=value` or `--name value`; 'true' for a bare flag. */
export function flag (args: readonly string[], name: string): string | undefined {
  const index = args.findIndex(arg => arg === `--${name}` || arg.startsWith(`--${name}=`))
  if (index < 0) return undefined
  const [, value] = /^[^=]+=([^]*)$/.exec(args[index]!) ?? []
  if (value !== undefined) return value
  const next = args[index + 1]
  return next === undefined || next.startsWith('--') ? 'true' : next
}

function versionOf (controller: KubeObject | undefined, container: Fields, pods: readonly KubeObject[], definitions: readonly KubeObject[], records: readonly LogRecord[]): string | undefined {
  const started = [...records].reverse().find(({ message, fields: pairs }) => /starting (?:cert-manager )?controller/i.test(message) && pairs.has('version'))
  const definition = definitions.find(({ metadata }) => metadata.name === 'challenges.acme.cert-manager.io')
  const said = [
    string(container.image).replace(/@sha256:.*$/, ''),
    started?.fields.get('version'),
    controller === undefined ? undefined : labelsOf(controller).get('app.kubernetes.io/version'),
    string(containerOf(at(pods[0]?.spec, 'containers')).image).replace(/@sha256:.*$/, ''),
    pods[0] === undefined ? undefined : labelsOf(pods[0]).get('app.kubernetes.io/version'),
    definition === undefined ? undefined : labelsOf(definition).get('app.kubernetes.io/version')
  ]
  for (const text of said) {
    const version = parseVersion(text ?? '')
    // A mirror may tag its images in another way; cert-manager has only ever been 0.x and 1.x.
    if (version !== undefined && version.major <= 1) return version.text
  }
  return undefined
}

function gatewayApi (args: readonly string[], records: readonly LogRecord[]): { gatewayApiEnabled?: boolean } {
  const set = flag(args, 'enable-gateway-api')
  if (set !== undefined) return { gatewayApiEnabled: set !== 'false' }
  const gates = flag(args, 'feature-gates') ?? ''
  if (/ExperimentalGatewayAPISupport=true/i.test(gates)) return { gatewayApiEnabled: true }
  if (records.some(({ message }) => message.startsWith('enabling the sig-network Gateway API'))) return { gatewayApiEnabled: true }
  // A configuration file may switch it on; without one the default stands.
  return args.length === 0 || flag(args, 'config') !== undefined ? {} : { gatewayApiEnabled: false }
}

function evidenceOf (facts: Omit<ControllerFacts, 'evidence'>, controller: KubeObject | undefined, workloads: readonly KubeObject[]): Evidence[] {
  const ref = controller === undefined ? `Deployment ${facts.namespace}/cert-manager` : nameOf(controller)
  const evidence: Evidence[] = [{ source: 'object', ref, text: `${facts.version ?? 'version unknown'}, ${facts.ready} of ${facts.replicas} ready` }]
  for (const pod of facts.pods) {
    const { lastTermination, waiting, restarts, name } = pod
    if (waiting === undefined && lastTermination === undefined) continue
    const ended = lastTermination === undefined ? '' : `last ended with ${lastTermination.reason} (exit code ${lastTermination.exitCode})`
    evidence.push({ source: 'object', ref: `Pod ${facts.namespace}/${name}`, text: [waiting === undefined ? '' : `waiting: ${waiting}`, ended, `${restarts} restarts`].filter(part => part !== '').join(', '), ...lastTermination?.at === undefined ? {} : { time: lastTermination.at } })
  }
  if (facts.processingChallenges >= facts.maxConcurrentChallenges) evidence.push({ source: 'object', ref, text: `${facts.processingChallenges} challenges in flight, at most ${facts.maxConcurrentChallenges} allowed` })
  for (const component of ['webhook', 'cainjector'] as const) {
    const state = facts[component]
    const found = pick(workloads, component)
    if (state !== undefined && found !== undefined && state.ready < Math.max(1, state.replicas)) evidence.push({ source: 'object', ref: nameOf(found), text: `${state.ready} of ${state.replicas} ready` })
  }
  for (const service of [...facts.apiServices].sort((a, b) => compare(a.group, b.group))) {
    if (!service.available) evidence.push({ source: 'object', ref: `APIService ${service.group}`, text: `Available=False ${service.reason ?? ''}: ${service.message ?? ''}`.trim() })
  }
  return evidence
}

function numberOf (value: unknown, fallback: number): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : fallback
}
