import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import t from 'tap'
import { buildInvestigate, type Investigation } from '../../src/investigate.ts'
import { openKubernetes } from '../../src/shared/clients/kubernetes.ts'
import { readableResources, resourceType } from '../../src/shared/clients/kubernetes-resources.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { openWorld } from '../../src/world/world.ts'
import { aCaseDirectory, aFailingCluster, anObject, controllerLog, controllerLogKey, failureTime } from '../support/cluster.ts'

interface Rule { apiGroups: string[], resources: string[], verbs: string[] }

const manifest = readFileSync(new URL('../../deploy/acme-triage.yaml', import.meta.url), 'utf8')
const role = parseAllDocuments(manifest).map(document => document.toJS() as { kind: string, rules: Rule[] }).find(({ kind }) => kind === 'ClusterRole')!
const qualified = (group: string, resource: string): string => group === '' ? resource : `${resource}.${group}`
const resourcesOf = ({ apiGroups, resources }: Rule): string[] => apiGroups.flatMap(group => resources.map(resource => qualified(group, resource)))

/** The failing cluster with one object of every kind, so that each rule guards something. */
function everything () {
  const reason = 'Error accepting authorization: acme: authorization error for shop.example.com: 400 urn:ietf:params:acme:error:connection: 203.0.113.10: Fetching http://shop.example.com/.well-known/acme-challenge/abc: Timeout during connect (likely firewall problem)'
  const present = aFailingCluster().map(object => object.kind === 'Challenge' ? { ...object, status: { state: 'invalid', reason } } : object)
  const more = readableResources.map(resourceType).filter(({ kind, group }) => !present.some(object => object.kind === kind && object.apiVersion.startsWith(group)))
    .map(({ kind, group, versions, namespaced }) => anObject(group === '' ? 'v1' : `${group}/${versions[0]}`, kind, `some-${kind.toLowerCase()}`, { metadata: { namespace: namespaced ? 'elsewhere' : undefined, uid: `some-${kind}-${group}` }, spec: { hosts: ['elsewhere.example.org'], host: 'elsewhere.example.org', virtualhost: { fqdn: 'elsewhere.example.org' } } }))
  return [...present, ...more]
}

async function diagnose (log: string, forbidden: { resource: string, group?: string }[] = []): Promise<Investigation> {
  const world = await openWorld(aCaseDirectory({ objects: everything(), logs: new Map([[controllerLogKey, log]]), api: { forbidden } }))
  const kubernetes = openKubernetes({ kubeconfig: world.kubeconfig }, { route: world.route('cluster'), clock: world.clock })!
  try {
    const config = loadConfig({})
    const labels = { namespace: 'shop', certificate: 'web-tls' }
    return await buildInvestigate({ ...config, collect: { ...config.collect, deadline: 60_000 } }, { kubernetes }, world.clock)([{ status: 'firing', labels, annotations: {}, startsAt: failureTime + 60_000, generatorURL: '', fingerprint: 'f' }])
  } finally {
    await kubernetes.close()
    await world.close()
  }
}

t.test('the ClusterRole of deploy/ lets us read what we read, and nothing else', t => {
  const granted = role.rules.flatMap(resourcesOf)
  t.same(granted.filter(resource => resource !== 'pods/log').sort(), [...readableResources].sort(), 'as many rules as resources in kubernetes-resources.ts')
  t.ok(granted.includes('pods/log'))
  t.same(granted.filter(resource => /secret|\*/i.test(resource)), [], 'no Secret, no wildcard')
  t.same(role.rules.flatMap(({ verbs }) => verbs).filter(verb => !['get', 'list', 'watch'].includes(verb)), [], 'and never a write')
  t.end()
})

t.test('taken away rule by rule, the diagnosis comes without what the rule guarded, and names the rule', async t => {
  const log = join(t.testdir({ log: controllerLog }), 'log')
  const whole = await diagnose(log)
  t.same(whole.diagnosis.unavailable.filter(({ fix }) => fix?.includes('ClusterRole')), [])
  t.equal(whole.diagnosis.causes[0]?.id, 'http01-port80-blocked')
  const seenIn = ({ observations }: Investigation): Set<string> => new Set(observations.lists.filter(({ look }) => look.is === 'seen').map(({ resource }) => resource))
  const readable = seenIn(whole)
  for (const rule of role.rules) {
    const own = resourcesOf(rule)
    const title = own.join(', ')
    const less = await diagnose(log, rule.apiGroups.flatMap(group => rule.resources.map(resource => ({ resource, group: group === '' ? 'core' : group }))))
    const seen = seenIn(less)
    t.same([...readable].filter(resource => !seen.has(resource) && !own.includes(resource)), [], `${title}: nothing else is lost`)
    t.match(less.diagnosis.incident, { namespace: 'shop', certificate: 'web-tls' }, `${title}: the subject stays`)
    // What nobody asked for, because it is only asked on a special occasion, is not missed.
    const asked = own.filter(resource => readable.has(resource))
    for (const resource of asked) {
      const { group, plural } = resourceType(resource)
      t.ok(less.diagnosis.unavailable.some(({ fix }) => fix?.includes(`apiGroups: ["${group}"], resources: ["${plural}"], verbs: ["get"`)), `${resource} is named with its rule`)
    }
    if (own.includes('pods/log')) t.ok(less.diagnosis.unavailable.some(({ fix }) => fix?.includes('pods/log')), 'the log is named with its rule')
    const guardsTheChain = own.some(resource => resource.endsWith('cert-manager.io'))
    if (!guardsTheChain) t.equal(less.diagnosis.causes[0]?.id, whole.diagnosis.causes[0]?.id, `${title}: the cause is still found`)
  }
})
