import type { Case, IdentifierCase, SolverFacts, Text } from '../shared/types/case.ts'
import { isOvercome } from './overcome.ts'

/** The solver object that the API refused. */
export type Denied = 'Pod' | 'Service' | 'Ingress' | 'HTTPRoute'

/** Admission webhooks that belong to ingress controllers and look at Ingresses only. */
export const ingressWebhooks = 'validate\\.nginx\\.ingress\\.kubernetes\\.io|vingress\\.elbv2\\.k8s\\.aws|[^"]*(ingress|konghq|haproxy|traefik|apisix|projectcontour|nginx)[^"]*'

const plurals: readonly [RegExp, Denied][] = [[/^pods/, 'Pod'], [/^services/, 'Service'], [/^ingress/, 'Ingress'], [/^httproute/, 'HTTPRoute']]
const words: readonly [RegExp, Denied][] = [
  [/\bhttproutes?\b/i, 'HTTPRoute'], [/\bpods?\b|\bcontainers?\b|securitycontext|runas(user|nonroot|group)|seccomp|acmesolver|capabilities|\bimages?\b/i, 'Pod'],
  [/nodeports?|\bservices?\b/i, 'Service'], [/\bingress(es)?\b|pathtype|\bpaths?\b|\btls\b|\bhttps\b/i, 'Ingress']
]

/**
 * Which of the solver's objects a refusal is about: the API's own plural says it best, then the webhook,
 * then the policy's words; failing those, the first object that is not there (Pod, Service, Ingress in this order).
 */
export function deniedObject ({ core }: Text, solver: SolverFacts | undefined): Denied | undefined {
  const text = core.slice(0, 4_000)
  const quoted = /\b(pods?|services?|ingress(?:es)?|httproutes?)(?:\.[a-z0-9.-]+)? "[^"]*" is (?:forbidden|invalid)/i.exec(text)?.[1]?.toLowerCase()
  const named = quoted === undefined ? undefined : plurals.find(([pattern]) => pattern.test(quoted.replace(/^(pod|service|httproute)$/, '$1s')))?.[1]
  if (named !== undefined) return named
  if (new RegExp(`webhook "(${ingressWebhooks})"`, 'i').test(text)) return 'Ingress'
  // What a webhook is called for stands in its name or, as kubebuilder makes them, in its path: mservice.…, /mutate-v1-service.
  const target = /webhook "[mv](pod|service|ingress|httproute)\./i.exec(text)?.[1] ?? /\/(?:mutate|validate)-(?:[\w-]+-)?v\d\w*-(pod|service|ingress|httproute)\b/i.exec(text)?.[1]
  if (target !== undefined) return plurals.find(([pattern]) => pattern.test(`${target.toLowerCase()}s`))?.[1]
  if (/webhook "[^"]*(sidecar-inject|mpod\.|pod-identity|proxy-injector|(^|[.-])pods?[.-])[^"]*"/i.test(text)) return 'Pod'
  // The address of a webhook that cannot be called speaks of TLS and Services of its own.
  const policy = text.replace(/^.*?(denied the request|failed calling webhook)/i, '').replaceAll(/cm-acme-http-solver-\w+|"?https?:\/\/\S+|(dial tcp|x509|tls: |no endpoints available for |service "[^"]*" not found).*$/gi, '')
  const spoken = words.find(([pattern]) => pattern.test(policy))?.[1]
  if (spoken !== undefined) return spoken
  if (solver === undefined) return undefined
  return solver.pods.length === 0 ? 'Pod' : solver.services.length === 0 ? 'Service' : solver.ingresses.length === 0 && solver.routes.length === 0 ? 'Ingress' : undefined
}

/** Kyverno names the kind of what it refused; cert-manager says that it was about to write a Secret. */
function isOfAnotherKind (core: string): boolean {
  const kind = /\bresource (\w+)\/[^\s/]+\/\S+/i.exec(core)?.[1] ?? /fail\w* to \w+ (secret)\b|\/(?:mutate|validate)-(?:[\w-]+-)?v\d\w*-(secret)\b/i.exec(core)?.slice(1).find(word => word !== undefined)
  return kind !== undefined && !plurals.some(([pattern]) => pattern.test(`${kind.toLowerCase()}s`))
}

/** Refusals by an admission plug-in of some solver object of this identifier; cert-manager's own webhook and a dying namespace apart. */
export function denials (incident: Case, identifier: IdentifierCase): Text[] {
  // Once every name is validated no solver is made any more: what is refused now is something else.
  const { order } = incident.facts
  if (order.is === 'seen' && (order.value.state === 'valid' || order.value.state === 'ready')) return []
  return incident.texts.filter(text => concerns(text, identifier) && !isOvercome(text, identifier, incident) &&
    /denied the request|denied request|failed calling webhook/i.test(text.core) && !/webhook\.cert-manager\.io|being terminated/i.test(text.core) && !isOfAnotherKind(text.core))
}

const concerns = ({ attempt, about }: Text, { name }: IdentifierCase): boolean => attempt !== 'earlier' && (about.length === 0 || about.includes(name))
