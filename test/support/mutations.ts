import { mapMaterial, mapObjects, type Material } from './material.ts'
import { rewriteLogs, type Grammar } from './mutate-logs.ts'
import { renameAll } from './mutate-names.ts'
import { noises } from './mutate-texts.ts'
import { otherOffset, shiftTime } from './mutate-time.ts'

/** Changed material; `rename` tells names before from names after. Undefined where the change makes no sense. */
export interface Changed { material: Material, rename?: (text: string) => string }
export type Mutation = (material: Material) => Changed | undefined

const day = 86_400_000
const plain = (change: (material: Material) => Material): Mutation => (material) => ({ material: change(material) })
const grammars: readonly Grammar[] = ['1.8', '1.12', '1.14', '1.15', 'json']

/** Changes that must not change the diagnosis. */
export const harmless: Record<string, Mutation> = {
  'other names, hashes, tokens, numbers and addresses': (material) => renameAll(material),
  'other names again': (material) => renameAll(material, { salt: 'b' }),
  'international domain names': (material) => renameAll(material, { salt: 'c', international: true }),
  'another host of the CA': plain((material) => mapMaterial(material, (text) => text.replaceAll(/acme-(?:staging-)?v02\.api\.letsencrypt\.org/g, 'ca.some-authority.net'))),
  'three years later': plain((material) => shiftTime(material, 3 * 365 * day)),
  'minutes after New Year': plain((material) => shiftTime(material, Date.UTC(new Date(material.directory.now).getUTCFullYear() + 1, 0, 1, 0, 3) - material.directory.now)),
  'times two hours east': plain((material) => otherOffset(material, 2)),
  'times nine hours west': plain((material) => otherOffset(material, -9)),
  ...Object.fromEntries(grammars.map((grammar) => [`the log grammar ${grammar}`, plain((material) => rewriteLogs(material, grammar))])),
  'requeue lines without their key': plain((material) => rewriteLogs(material, '1.15', { keyless: true })),
  'objects in another order': plain((material) => ({ ...material, directory: { ...material.directory, objects: shuffled(material.directory.objects, 7) } })),
  'everything backwards': plain(({ directory, logs }) => ({
    logs: new Map([...logs].reverse()),
    directory: { ...directory, objects: directory.objects.toReversed(), ...directory.dns && { dns: { ...directory.dns, resolvers: new Map([...directory.dns.resolvers].reverse()) } }, ...directory.http && { http: directory.http.toReversed() } }
  })),
  ...Object.fromEntries(Object.entries(noises).map(([name, change]) => [name, plain(change)]))
}

/** An order that only the seed decides. */
export function shuffled<T> (list: readonly T[], seed: number): T[] {
  return list.map((value, index) => ({ value, place: Math.imul(index + 1 + seed, 2_654_435_761) >>> 0 })).sort((a, b) => a.place - b.place).map(({ value }) => value)
}

const kinds = ['Certificate', 'CertificateRequest', 'Order', 'Challenge', 'Issuer', 'ClusterIssuer', 'Event', 'Pod', 'Service', 'EndpointSlice', 'Ingress', 'IngressClass', 'Deployment', 'Namespace', 'NetworkPolicy', 'HTTPRoute'] as const
const resources = ['certificates', 'certificaterequests', 'orders', 'challenges', 'issuers', 'clusterissuers', 'events', 'pods', 'services', 'endpointslices', 'ingresses', 'ingressclasses', 'deployments', 'namespaces', 'networkpolicies', '*'] as const

const withApi = (material: Material, api: Partial<Material['directory']['api']>): Changed => ({ material: { ...material, directory: { ...material.directory, api: { ...material.directory.api, ...api } } } })
function withoutFile (material: Material, file: 'dns' | 'http' | 'acme'): Changed | undefined {
  const { [file]: taken, ...directory } = material.directory
  return taken === undefined ? undefined : { material: { ...material, directory } }
}

/** Evidence taken away, one kind at a time. */
export const losses: Record<string, Mutation> = {
  ...Object.fromEntries(kinds.map((kind): [string, Mutation] => [`without ${kind}`, (material) => material.directory.objects.some((object) => object.kind === kind) ? { material: mapObjects(material, (object) => object.kind === kind ? undefined : object) } : undefined])),
  'without logs': (material) => material.logs.size === 0 ? undefined : { material: { ...material, logs: new Map() } },
  'logs forbidden': (material) => withApi(material, { forbidden: [...material.directory.api.forbidden, { resource: 'pods/log' }] }),
  'without dns.yaml': (material) => withoutFile(material, 'dns'),
  'without http.yaml': (material) => withoutFile(material, 'http'),
  'without acme.yaml': (material) => withoutFile(material, 'acme'),
  ...Object.fromEntries(resources.flatMap((resource): [string, Mutation][] => [
    [`${resource} forbidden`, (material) => withApi(material, { forbidden: [...material.directory.api.forbidden, { resource }] })],
    [`${resource} failing`, (material) => withApi(material, { failing: [...material.directory.api.failing, { resource, status: 500 }] })]
  ])),
  'an API that cannot be reached': (material) => withApi(material, { unreachable: true })
}
