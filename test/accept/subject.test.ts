import t from 'tap'
import { domainsIn, ancestorNames } from '../../src/accept/labels.ts'
import { incidentKey, subjectHints } from '../../src/accept/subject.ts'
import type { SubjectHint } from '../../src/shared/types/observations.ts'

const settings = { clusterLabel: 'cluster' }
const hints = (labels: Record<string, string>, annotations: Record<string, string> = {}): SubjectHint[] => subjectHints({ alertname: 'CertManagerACMEOrderFailed', severity: 'warning', ...labels }, annotations, settings).hints
const brief = ({ kind, namespace, name }: SubjectHint): string => `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name ?? '*'}`
const key = (labels: Record<string, string>): string => incidentKey(hints(labels), labels, undefined)

const scraper = { namespace: 'cert-manager', pod: 'cert-manager-7d9f-x', instance: '10.1.2.3:9402', job: 'cert-manager', container: 'cert-manager-controller', endpoint: 'tcp-prometheus-servicemonitor', service: 'cert-manager' }

/** The spellings of alertmanager rules, one row each, with the hints that must come first. */
const spellings: { title: string, labels: Record<string, string>, first: string[], key: string }[] = [
  { title: '1: the challenge metric without honorLabels', labels: { ...scraper, exported_namespace: 'shop', name: 'web-tls-1-1234567890-987654321', domain: 'shop.example.com', type: 'HTTP-01', status: 'invalid', processing: 'false', reason: 'x'.repeat(1500) }, first: ['Challenge shop/web-tls-1-1234567890-987654321', 'Order shop/web-tls-1-1234567890', 'CertificateRequest shop/web-tls-1', 'Certificate shop/web-tls'], key: '|shop|web-tls' },
  { title: '2: the challenge metric with honorLabels', labels: { ...scraper, namespace: 'shop', name: 'web-tls-1-1234567890-987654321', domain: 'shop.example.com', type: 'HTTP-01', status: 'invalid' }, first: ['Challenge shop/web-tls-1-1234567890-987654321'], key: '|shop|web-tls' },
  { title: '3: exported_namespace replaced by a mixin', labels: { namespace: 'shop', name: 'web-tls-1-1234567890-987654321' }, first: ['Challenge shop/web-tls-1-1234567890-987654321', 'Order shop/web-tls-1-1234567890'], key: '|shop|web-tls' },
  { title: '4: aggregated to namespace, domain and reason', labels: { namespace: 'shop', domain: 'Shop.Example.com', reason: 'wrong status code' }, first: ['Domain shop/shop.example.com'], key: '|shop|domain:shop.example.com' },
  { title: '5: a challenge name that was cut at 52 characters', labels: { namespace: 'shop', challenge: 'a-very-long-certificate-name-that-somebody-thought-o-1234567890-987654321' }, first: ['Challenge shop/a-very-long-certificate-name-that-somebody-thought-o-1234567890-987654321', 'Order shop/a-very-long-certificate-name-that-somebody-thought-o-1234567890', 'CertificateRequest shop/a-very-long-certificate-name-that-somebody-thought-o', 'Certificate shop/a-very-long-certificate-name-that-somebody-thought-o'], key: '|shop|a-very-long-certificate-name-that-somebody-thought-o' },
  { title: '6: kube-state-metrics for Orders', labels: { customresource_group: 'acme.cert-manager.io', customresource_kind: 'Order', customresource_version: 'v1', exported_namespace: 'shop', namespace: 'monitoring', order: 'web-tls-1-1234567890', state: 'invalid' }, first: ['Order shop/web-tls-1-1234567890', 'CertificateRequest shop/web-tls-1', 'Certificate shop/web-tls'], key: '|shop|web-tls' },
  { title: '7: kube-state-metrics with a UID only', labels: { customresource_kind: 'Order', namespace: 'shop', uid: 'D5E69F76-5eff-4395-933a-69f0b4e5d600' }, first: ['Uid shop/d5e69f76-5eff-4395-933a-69f0b4e5d600', 'Scan shop/*'], key: '|shop|uid:d5e69f76-5eff-4395-933a-69f0b4e5d600' },
  { title: '8: the ready metric of a Certificate', labels: { ...scraper, exported_namespace: 'shop', name: 'web-tls', condition: 'False', issuer_name: 'letsencrypt', issuer_kind: 'ClusterIssuer' }, first: ['Certificate shop/web-tls'], key: '|shop|web-tls' },
  { title: '9: hand-written labels', labels: { namespace: 'shop', cert: 'web-tls', clusterissuer: 'letsencrypt' }, first: ['Certificate shop/web-tls', 'ClusterIssuer letsencrypt'], key: '|shop|web-tls' },
  { title: '10: requests of the ACME client', labels: { host: 'acme-v02.api.letsencrypt.org', action: 'finalize', status: '403', scheme: 'https', method: 'POST' }, first: ['Host acme-v02.api.letsencrypt.org', 'Scan *'], key: '||host:acme-v02.api.letsencrypt.org' },
  { title: '11: a Loki rule that knows cert-manager\'s Pod only', labels: { namespace: 'cert-manager', pod: 'cert-manager-7d9f-x', container: 'cert-manager-controller', app: 'cert-manager' }, first: ['Scan *'], key: '||scan:' },
  { title: '12: several clusters', labels: { cluster: 'prod-eu1', prometheus: 'monitoring/k8s', tenant: 'platform', namespace: 'shop', name: 'web-tls' }, first: ['Challenge shop/web-tls', 'Order shop/web-tls', 'CertificateRequest shop/web-tls', 'Certificate shop/web-tls'], key: 'prod-eu1|shop|web-tls' },
  { title: '13: an x509 exporter', labels: { namespace: 'monitoring', secret_name: 'web-tls', secret_namespace: 'shop', subject_CN: 'shop.example.com' }, first: ['Secret shop/web-tls', 'Domain shop/shop.example.com'], key: '|shop|secret:web-tls' },
  { title: '13: a blackbox probe', labels: { instance: 'https://shop.example.com:443/health', job: 'blackbox' }, first: ['Domain shop.example.com'], key: '||domain:shop.example.com' },
  { title: '14: an event exporter', labels: { kind: 'Event', involved_object_kind: 'CertificateRequest', involved_object_name: 'web-tls-1', involved_object_namespace: 'shop', reason: 'OrderFailed' }, first: ['CertificateRequest shop/web-tls-1', 'Certificate shop/web-tls'], key: '|shop|web-tls' },
  { title: '15: a wildcard', labels: { namespace: 'shop', domain: '*.example.com' }, first: ['Domain shop/*.example.com'], key: '|shop|domain:example.com' },
  { title: '15: an internationalised name', labels: { namespace: 'shop', domain: 'bücher.example' }, first: ['Domain shop/xn--bcher-kva.example'], key: '|shop|domain:xn--bcher-kva.example' },
  { title: '16: an address', labels: { namespace: 'shop', identifier: '[2001:db8::1]' }, first: ['Domain shop/2001:db8::1'], key: '|shop|domain:2001:db8::1' },
  { title: '17: a Grafana-managed alert', labels: { grafana_folder: 'TLS', __alert_rule_uid__: 'abc', exported_namespace: 'shop', certificate_name: 'web-tls' }, first: ['Certificate shop/web-tls'], key: '|shop|web-tls' },
  { title: '19: a CertificateSigningRequest, which has no namespace', labels: { customresource_kind: 'CertificateSigningRequest', name: 'csr-5f2x' }, first: ['Order csr-5f2x'], key: '||csr-5f2x' },
  { title: 'the same as a label of its own', labels: { ...scraper, csr: 'csr-5f2x' }, first: ['Order csr-5f2x'], key: '||csr-5f2x' },
  { title: '19: namespace/name in one label', labels: { certificate: 'shop/web-tls' }, first: ['Certificate shop/web-tls'], key: '|shop|web-tls' },
  { title: '20: a namespace and nothing else', labels: { namespace: 'shop' }, first: ['Scan shop/*'], key: '|shop|scan:' },
  { title: 'nothing at all', labels: {}, first: ['Scan *'], key: '||scan:' },
  { title: 'an issuer written as kind/name', labels: { issuer: 'ClusterIssuer/letsencrypt' }, first: ['ClusterIssuer letsencrypt', 'Scan *'], key: '||clusterissuer:letsencrypt' }
]

for (const { title, labels, first, key: expected } of spellings) {
  t.test(title, t => {
    t.same(hints(labels).map(brief).slice(0, first.length), first)
    t.equal(key(labels), expected)
    t.end()
  })
}

t.test('alerts of one order meet, whatever their status, reason, attempt and challenge', t => {
  const base = { ...scraper, exported_namespace: 'shop', type: 'HTTP-01' }
  const same: Record<string, string>[] = [
    { ...base, name: 'web-tls-2-1234567890-987654321', domain: 'a.example.com', status: 'pending', reason: 'waiting' },
    { ...base, name: 'web-tls-2-1234567890-111111111', domain: 'b.example.com', status: 'invalid', reason: '403' },
    { exported_namespace: 'shop', order: 'web-tls-2-1234567890' }, { namespace: 'shop', certificate: 'web-tls', order: 'web-tls-3-222222222' },
    { namespace: 'shop', name: 'web-tls', condition: 'False' }, { namespace: 'shop', certificaterequest: 'web-tls-2' }, { namespace: 'shop', name: 'web-tls' }
  ]
  const keys = new Set(same.map(key))
  t.same([...keys], ['|shop|web-tls'])
  t.not(key({ namespace: 'docs', certificate: 'web-tls' }), '|shop|web-tls', 'another namespace is another incident')
  t.not(incidentKey(hints({ namespace: 'shop', certificate: 'web-tls' }), {}, 'eu'), '|shop|web-tls', 'another cluster is another incident')
  t.end()
})

t.test('the namespace of the scraper is tried last, and never instead of the object\'s own', t => {
  const all = hints({ ...scraper, exported_namespace: 'shop', certificate: 'web-tls' })
  t.equal(brief(all[0]!), 'Certificate shop/web-tls')
  t.equal(brief(all.at(-1)!), 'Certificate cert-manager/web-tls')
  t.same(hints({ namespace: 'cert-manager', certificate: 'web-tls' }).map(brief), ['Certificate web-tls', 'Certificate cert-manager/web-tls'])
  t.end()
})

t.test('an object that is named is never replaced by a scan', t => {
  const gone: Record<string, string>[] = [{ certificate: 'gone' }, { namespace: 'shop', order: 'gone-1-1234567890' }, { domain: 'gone.example.com' }]
  for (const labels of gone) t.notOk(hints(labels).some(({ kind }) => kind === 'Scan'))
  t.end()
})

t.test('an alert of another cluster says which', t => {
  const labels = { cluster: 'prod-us2', certificate: 'web-tls' }
  t.equal(subjectHints(labels, {}, { clusterLabel: 'cluster', cluster: 'prod-eu1' }).otherCluster, 'prod-us2')
  t.equal(subjectHints(labels, {}, { clusterLabel: 'cluster', cluster: 'prod-us2' }).otherCluster, undefined)
  t.equal(subjectHints(labels, {}, { clusterLabel: 'cluster' }).otherCluster, undefined)
  t.end()
})

t.test('the lint names the expression to use instead', t => {
  const lint = (labels: Record<string, string>): string => subjectHints(labels, {}, settings).lint.join('\n')
  t.match(lint({ host: 'acme-v02.api.letsencrypt.org', action: 'x' }), /names no object.*certmanager_certificate_challenge_status/s)
  t.match(lint({ namespace: 'shop', domain: 'a.example.com', reason: 'x' }), /loses the name of the Certificate/)
  t.match(lint({ namespace: 'shop', domain: 'a.example.com', reason: 'x' }), /into annotations/)
  t.match(lint({}), /certmanager_order_state/)
  t.match(lint({ namespace: 'cert-manager', name: 'web-tls' }), /honorLabels: true/)
  t.equal(lint({ namespace: 'shop', certificate: 'web-tls' }), '')
  t.end()
})

t.test('an annotation is read when no label says anything', t => {
  t.same(hints({ host: 'acme-v02.api.letsencrypt.org', action: 'x' }, { summary: 'Order shop/web-tls-1-1234567890 failed.' }).map(brief).slice(0, 2), ['Host acme-v02.api.letsencrypt.org', 'Order shop/web-tls-1-1234567890'])
  t.end()
})

t.test('hostile labels give hints that nobody trusts, and no error', t => {
  for (const value of ['../../etc', 'a'.repeat(100_000), '<script>', '-', '.', '\u0000', '*', '%2e%2e', '__proto__']) {
    for (const label of ['name', 'namespace', 'domain', 'certificate', 'host', 'issuer', 'uid', '__proto__']) t.doesNotThrow(() => { subjectHints({ [label]: value, namespace: value }, { summary: value }, settings) })
  }
  t.ok(hints({ name: 'a'.repeat(100_000) }).every(({ name = '' }) => name.length <= 300))
  t.end()
})

t.test('names and addresses are found in every form a label has them in', t => {
  const rows: [string, string[]][] = [
    ['shop.example.com.', ['shop.example.com']], ['https://user@shop.example.com:8443/x?y', ['shop.example.com']], ['[a.example.com b.example.com]', ['a.example.com', 'b.example.com']],
    ['a.example.com, *.b.example.com', ['a.example.com', '*.b.example.com']], ['203.0.113.10:80', ['203.0.113.10']], ['2001:db8::1', ['2001:db8::1']], ['localhost', []], ['_dmarc.example.com', ['_dmarc.example.com']], ['', []]
  ]
  for (const [value, expected] of rows) t.same(domainsIn(value), expected, value)
  t.end()
})

t.test('the ancestors of a name are what cert-manager made it from', t => {
  t.same(ancestorNames('web-tls-12-1234567890-98765432', 'Challenge'), { order: 'web-tls-12-1234567890', request: 'web-tls-12', certificate: 'web-tls' })
  t.same(ancestorNames('web-tls-9vbxf-1234567890', 'Order'), { request: 'web-tls-9vbxf', certificate: 'web-tls' }, 'random suffix before 1.13')
  t.same(ancestorNames('site-2024-1-1234567890', 'Order'), { request: 'site-2024-1', certificate: 'site-2024' }, 'a year is part of the name')
  t.same(ancestorNames('web-tls', 'Challenge'), {})
  t.end()
})
