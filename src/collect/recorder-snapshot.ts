import type { KubernetesClient } from '../shared/clients/kubernetes.ts'
import { seen } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { LogLook, RecordedState } from '../shared/types/observations.ts'
import { redactText } from '../shared/redact.ts'
import { text } from './fields.ts'
import { LogFilter } from './log-filter.ts'
import { redactObject, secretsOf } from './redact.ts'
import { slim } from './relevance.ts'

const solverResources = ['pods', 'services', 'ingresses.networking.k8s.io', 'httproutes.gateway.networking.k8s.io', 'endpointslices.discovery.k8s.io']
const solverSelector = 'acme.cert-manager.io/http01-solver=true'
const logBytes = 256_000

/** Solver Pod, Service, slices and routes of one Challenge with their Events and the Pod's log: they will be gone in seconds. Redacted. */
export async function takeSolverSnapshot (kubernetes: KubernetesClient, challenge: KubeObject, signal: AbortSignal): Promise<Pick<RecordedState, 'logs'> & { objects: KubeObject[] }> {
  const { namespace, uid } = challenge.metadata
  const lists = await Promise.all([
    ...solverResources.map(resource => kubernetes.list(resource, { namespace, labelSelector: solverSelector, maxItems: 200, signal })),
    kubernetes.list('events', { namespace, maxItems: 2_000, signal })
  ])
  const found = lists.flatMap(look => look.is === 'seen' ? look.value.items : [])
  const owned = found.filter(object => (object.metadata.ownerReferences ?? []).some(owner => owner.uid === uid))
  const names = new Set([challenge.metadata.name, ...owned.map(({ metadata }) => metadata.name)])
  // The slice belongs to the Service, not to the Challenge.
  const slices = found.filter(object => object.kind === 'EndpointSlice' && names.has(object.metadata.labels?.['kubernetes.io/service-name'] ?? ''))
  const events = found.filter(object => object.kind === 'Event' && names.has(text(object.involvedObject ?? object.regarding, 'name')))
  const secrets = secretsOf([challenge, ...owned], true)
  const pods = owned.filter(({ kind }) => kind === 'Pod').slice(0, 2)
  const logs = await Promise.all(pods.map(pod => readSolverLog(kubernetes, pod, [...secrets.keys()], signal)))
  return {
    objects: [...owned, ...slices, ...events].slice(0, 60).map(object => redactObject(slim(object, false), secrets)),
    ...(logs.length === 0 ? {} : { logs })
  }
}

async function readSolverLog (kubernetes: KubernetesClient, pod: KubeObject, secrets: string[], signal: AbortSignal): Promise<LogLook> {
  const filter = new LogFilter({ needles: [], all: true, maxLines: 300, maxBytes: 100_000 })
  const place = { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name, container: 'acmesolver', previous: false, role: 'solver' as const }
  const answer = await kubernetes.log(place, chunk => { filter.write(chunk) }, { limitBytes: logBytes, signal })
  if (answer.is !== 'seen') return { ...place, look: answer }
  const { lines, droppedLines, cut } = filter.finish()
  return { ...place, look: seen({ lines: lines.map(line => ({ ...line, text: redactText(line.text, secrets) })), since: 0, bytes: answer.value.bytes, droppedLines, ...(cut === undefined ? {} : { cut }) }) }
}
