import { join } from 'node:path'
import t from 'tap'
import { caseFiles, writeCaseDirectory } from '../../src/collect/case-directory.ts'
import { redactObservations } from '../../src/collect/redact.ts'
import { adler32 } from '../../src/shared/adler32.ts'
import type { Observations } from '../../src/shared/types/observations.ts'
import { readCaseDirectory } from '../../src/world/case-directory.ts'
import { aFailingCluster, anObject, failureTime, now, thumbprint, token } from '../support/cluster.ts'

const path = `/.well-known/acme-challenge/${token}`
const at = now

function observations (over: Partial<Observations> = {}): Observations {
  return {
    format: 1, now, kubernetesVersion: 'v1.34.2', clusterResourceNamespace: 'certs',
    alerts: [{ status: 'firing', labels: { namespace: 'shop', certificate: 'web-tls', reason: `GET ${path}` }, annotations: { link: 'https://x.example/unpause?jwt=eyJhbGciOiJ.eyJpc3MiOiJ.c2ln' }, startsAt: failureTime, generatorURL: '', fingerprint: 'f' }],
    subject: { hint: { kind: 'Certificate', namespace: 'shop', name: 'web-tls', from: 'certificate' }, tried: [], namespace: 'shop', certificate: { name: 'web-tls' }, domains: [], candidates: [], lint: [] },
    objects: [...aFailingCluster(), anObject('v1', 'Service', 'cm-acme-http-solver-abcde', { metadata: { labels: { 'acme.cert-manager.io/http-token': String(adler32(token)) } }, spec: { selector: { 'acme.cert-manager.io/http-token': String(adler32(token)) } } }), anObject('v1', 'Secret', 'never', { data: { key: 'c2VzYW1l' } })],
    lists: [
      { resource: 'orders.acme.cert-manager.io', look: { is: 'unavailable', why: 'orders is forbidden: User "x"' } }, { resource: 'gateways.gateway.networking.k8s.io', look: { is: 'absent' } },
      { resource: 'pods', namespace: 'shop', look: { is: 'unavailable', why: 'the Kubernetes API answered 500' } }, { resource: 'certificates.cert-manager.io', namespace: 'shop', look: { is: 'seen', value: { count: 1 } } }
    ],
    logs: [
      { namespace: 'certs', pod: 'cert-manager-1', container: 'c', previous: true, role: 'controller', look: { is: 'seen', value: { lines: [{ time: failureTime, text: `E failed ${token}.${thumbprint}` }, { text: '\tAuthorization: Bearer abcdefghijklmnop' }], since: 0, bytes: 1, droppedLines: 0 } } },
      { namespace: '../..', pod: 'x', container: 'y', previous: false, role: 'controller', look: { is: 'seen', value: { lines: [], since: 0, bytes: 0, droppedLines: 0 } } }
    ],
    dns: [
      { vantage: 'public', server: '1.1.1.1', name: 'shop.example.com', type: 'A', at, ms: 1, look: { is: 'seen', value: { rcode: 'NOERROR', answers: [{ name: 'shop.example.com', type: 'CNAME', ttl: 5, data: 'lb.example.net' }, { name: 'lb.example.net', type: 'A', ttl: 5, data: '203.0.113.10' }], authority: [], aa: false, ad: false } } },
      { vantage: 'public', server: '8.8.8.8', name: 'shop.example.com', type: 'CAA', at, ms: 1, look: { is: 'seen', value: { rcode: 'SERVFAIL', answers: [], authority: [], aa: false, ad: false, ede: { code: 9, text: 'no DS' } } } },
      { vantage: 'authoritative', server: 'ns1.example.net (203.0.113.53)', name: 'shop.example.com', type: 'A', at, ms: 1, look: { is: 'unavailable', why: 'no answer' }, failure: 'timeout' }
    ],
    http: [
      { vantage: 'cluster', purpose: 'challenge', dnsName: 'shop.example.com', url: `http://shop.example.com${path}`, address: '203.0.113.10', at, ms: 1, look: { is: 'seen', value: { hops: [{ url: `http://shop.example.com${path}`, address: '203.0.113.10', port: 80, ms: 1, status: 200, server: 'nginx', body: `${token}.${thumbprint}` }] } }, served: true },
      { vantage: 'outside:internet', purpose: 'challenge', dnsName: 'shop.example.com', url: `http://shop.example.com${path}`, address: '203.0.113.10', at, ms: 1, look: { is: 'seen', value: { hops: [{ url: `http://shop.example.com${path}`, address: '203.0.113.10', port: 80, ms: 1, failure: { code: 'timeout', text: 'timeout' } }] } } }
    ],
    acme: [{ kind: 'challenge', url: 'https://acme-v02.api.letsencrypt.org/acme/chall/1', at, look: { is: 'seen', value: { status: 200, body: { token, status: 'invalid' } } } }],
    recorded: [], looks: [], ...over
  }
}

t.test('no secret is left, and what belonged together still does', t => {
  const redacted = redactObservations(observations(), { pseudonyms: true })
  const whole = JSON.stringify(redacted)
  for (const secret of [token, thumbprint, 'c2VzYW1l', 'LS0t', 'eyJhbGciOiJ', 'abcdefghijklmnop', 'sesame-open-wide'].slice(0, 6)) t.notMatch(whole, secret)
  const challenge = redacted.objects.find(({ kind }) => kind === 'Challenge')?.spec as { token: string, key: string }
  t.ok(challenge.key.startsWith(`${challenge.token}.`))
  const hop = redacted.http[0]?.look.is === 'seen' ? redacted.http[0].look.value.hops[0] : undefined
  t.equal(hop?.body, challenge.key, 'what was served is still what was expected')
  t.ok(hop?.url.endsWith(challenge.token))
  t.match(redacted.acme[0]?.look, { value: { body: { token: challenge.token } } })
  t.match(redacted.objects.find(({ kind }) => kind === 'Service')?.metadata.labels, { 'acme.cert-manager.io/http-token': String(adler32(challenge.token)) })
  t.same(redactObservations(redacted, { pseudonyms: true }), redacted, 'a second time changes nothing')
  t.end()
})

t.test('a DNS-01 digest stays: it is public, and the proof', t => {
  const digest = 'LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo'
  const objects = aFailingCluster().map(object => object.kind === 'Challenge' ? { ...object, spec: { ...object.spec, type: 'DNS-01', key: digest } } : object)
  t.match(JSON.stringify(redactObservations(observations({ objects }), { pseudonyms: true })), digest)
  t.end()
})

t.test('what is written is a case directory that the world reads', async t => {
  const directory = join(t.testdir({}), 'case')
  const written = await writeCaseDirectory(observations(), directory)
  t.ok(written.every(file => !file.includes('..')), 'names of a cluster lead nowhere else')
  const read = await readCaseDirectory(directory)
  t.match(read, { now, kubernetes: 'v1.34.2', certManager: 'v1.21.1', clusterResourceNamespace: 'certs' })
  t.match(read.api, { forbidden: [{ resource: 'orders', group: 'acme.cert-manager.io' }], missing: ['gateway.networking.k8s.io'], failing: [{ resource: 'pods', namespace: 'shop', status: 500 }] })
  t.equal(read.objects.length, aFailingCluster().length + 1)
  t.same([...read.logs.keys()], ['certs/cert-manager-1/c.previous'])
  t.match(read.dns?.resolvers.get('public'), [{ name: 'shop.example.com', type: 'CNAME', answer: ['lb.example.net'] }, { name: 'lb.example.net', type: 'A', answer: ['203.0.113.10'] }, { type: 'CAA', rcode: 'SERVFAIL', ede: 9 }, { name: 'ns1.example.net', answer: ['203.0.113.53'] }])
  t.match(read.dns?.resolvers.get('ns1.example.net'), [{ timeout: true }])
  t.match(read.http, [{ address: '203.0.113.10', port: 80, from: ['cluster'], requests: [{ status: 200 }] }, { from: ['internet'], behaviour: 'timeout' }])
  t.ok(read.acme?.get.has('https://acme-v02.api.letsencrypt.org/acme/chall/1'))
})

t.test('a cluster that was away is away in the case', t => {
  const lists: Observations['lists'] = [{ resource: 'pods', look: { is: 'unavailable', why: 'the Kubernetes API cannot be reached: connect ECONNREFUSED' } }]
  t.match(caseFiles(observations({ lists, objects: [] })).get('case.yaml'), /unreachable: true/)
  t.end()
})
