import * as fc from 'fast-check'
import t from 'tap'
import { parseDocument, stringify } from 'yaml'
import { readCaseDirectory, readExpectation } from '../../src/world/case-directory.ts'
import { CaseError } from '../../src/world/case-error.ts'
import { parseCaseDocuments } from '../../src/world/case-yaml.ts'
import { makeCase, plainAlert, plainCase } from './make-case.ts'

t.test('a case of the two required files is whole', async (t) => {
  const found = await readCaseDirectory(makeCase(t.testdir()))
  t.equal(found.now, Date.parse('2026-11-24T10:05:00Z'))
  t.match(found, { objects: [], alerts: [{ alerts: [{ labels: { name: 'shop-tls' } }] }], api: { forbidden: [], missing: [], unreachable: false, latencyMs: 0 } })
  t.equal(found.dns, undefined, 'no dns.yaml is not an empty one')
  t.equal(found.http, undefined)
  t.equal(found.acme, undefined)
})

t.test('what people and dumps write loosely is understood', async (t) => {
  const path = makeCase(t.testdir(), {
    'case.yaml': `${plainCase}certManager: 1.2\nclusterResourceNamespace:\napi:\n  forbidden:\n    - {resource: pods/log, namespace: }\n  missing:\n`,
    'objects.yaml': `---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: shop, creationTimestamp: 2026-11-24T10:00:00Z}
---
---
# nothing but a comment
---
kind: NotAnObject
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Pod, metadata: {name: two}}
---
apiVersion: cert-manager.io/v1
kind: CertificateList
items:
  - metadata: {name: three, uid: u3}
---
apiVersion: v1
kind: Event
metadata: {name: 123}
message: "tab\there"
reason: doubled
reason: twice
`,
    'dns.yaml': 'resolvers:\n  cluster:\n  Public.:\n    - {name: Shop.Example.COM., type: a, answer: 203.0.113.1}\n',
    'http.yaml': 'endpoints:\n  - {to: "203.0.113.1:80", from: internet, requests: [{body: 404, headers: {x-count: 3}}]}\n  - {to: "[2001:db8::1]:443"}\n',
    'acme.yaml': 'directory: https://ca.example/directory\nget:\n'
  })
  const { objects, dns, http, acme, certManager, api } = await readCaseDirectory(path)
  t.strictSame(objects.map(({ kind, metadata: { name } }) => `${kind} ${name}`), ['Pod one', 'Pod two', 'Certificate three', 'Event 123'])
  t.equal(objects[0]!.metadata.creationTimestamp, '2026-11-24T10:00:00Z', 'times stay text')
  t.match(objects[0]!.metadata.uid, /^[0-9a-f]{8}-/, 'an object without a UID is given one, as every API does')
  t.equal(objects[2]!.apiVersion, 'cert-manager.io/v1')
  t.match(objects[3], { message: 'tab\there', reason: 'twice' })
  t.equal(certManager, '1.2')
  t.strictSame(api.forbidden, [{ resource: 'pods/log' }])
  t.match([...dns!.resolvers], [['cluster', []], ['public', [{ name: 'shop.example.com', type: 'A', answer: ['203.0.113.1'] }]]])
  t.match(http, [{ address: '203.0.113.1', port: 80, from: ['internet'], requests: [{ status: 200, body: '404', headers: { 'x-count': '3' } }] }, { address: '2001:db8::1', port: 443 }])
  t.equal(acme!.get.size, 0)
})

t.test('empty files are files with nothing in them', async (t) => {
  const found = await readCaseDirectory(makeCase(t.testdir(), { 'objects.yaml': '', 'dns.yaml': '', 'http.yaml': '# none\n', 'acme.yaml': '{}' }))
  t.match(found, { objects: [], http: [] })
  t.equal(found.dns!.resolvers.size, 0)
})

t.test('alerts are read in order, logs by pod', async (t) => {
  const other = JSON.stringify({ alerts: [{ labels: { name: 'second' } }] })
  const { alerts, logs } = await readCaseDirectory(makeCase(t.testdir(), {
    'alerts/02.json': `\uFEFF${other}`, 'alerts/10.json': plainAlert, 'alerts/notes.txt': 'x', 'logs/cert-manager/pod/c.log': '', 'logs/cert-manager/pod/c.previous.log': '', 'logs/stray.log': ''
  }))
  t.strictSame(alerts.map(({ alerts: [first] }) => first!.labels['name']), ['shop-tls', 'second', 'shop-tls'])
  t.strictSame([...logs.keys()].toSorted(), ['cert-manager/pod/c', 'cert-manager/pod/c.previous'])
})

const broken: [title: string, files: Record<string, string | null>, code: string, message: RegExp][] = [
  ['no case.yaml', { 'case.yaml': null }, 'CASE_MISSING', /case\.yaml: there is no such file/],
  ['no alert', { 'alerts/01.json': null }, 'CASE_MISSING', /alerts\/01\.json/],
  ['broken YAML', { 'case.yaml': 'format: 1\nnow: [\n' }, 'CASE_YAML', /case\.yaml:3:1: not valid YAML/],
  ['an empty case.yaml', { 'case.yaml': '' }, 'CASE_SCHEMA', /must be object/],
  ['another format', { 'case.yaml': plainCase.replace('format: 1', 'format: 2') }, 'CASE_SCHEMA', /case\.yaml:1:9: format must be 1/],
  ['a clock that is no time', { 'case.yaml': plainCase.replace('2026-11-24T10:05:00Z', 'yesterday') }, 'CASE_SCHEMA', /case\.yaml:5:6: now must be a time/],
  ['an unknown behaviour', { 'http.yaml': 'endpoints:\n  - to: 203.0.113.1:80\n    behaviour: explode\n' }, 'CASE_SCHEMA', /http\.yaml:3:16: endpoints\.0\.behaviour must be one of refuse, timeout/],
  ['an endpoint without a port', { 'http.yaml': 'endpoints: [{to: 203.0.113.1}]' }, 'CASE_SCHEMA', /http\.yaml:1:18/],
  ['a record without a name', { 'dns.yaml': 'resolvers:\n  public:\n    - type: A\n' }, 'CASE_SCHEMA', /dns\.yaml:3:7: resolvers\.public\.0 lacks name/],
  ['a doubled key in a small file', { 'dns.yaml': 'resolvers:\n  public: []\n  public: []\n' }, 'CASE_YAML', /dns\.yaml:3:3/],
  ['objects that are not YAML', { 'objects.yaml': 'apiVersion: v1\n---\nkind: Pod\nmetadata: {name: [}\n' }, 'CASE_YAML', /objects\.yaml:4:\d+/],
  ['an alert that is not JSON', { 'alerts/01.json': '{"alerts":\n [}' }, 'CASE_JSON', /01\.json:2:3/],
  ['a body without alerts', { 'alerts/01.json': '{"alerts": []}' }, 'CASE_SCHEMA', /01\.json: alerts must NOT have fewer/],
  ['a YAML bomb', { 'http.yaml': `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.split('').map((key, index) => `${key}: &${key} [${`*${'abcdefgh'[index]},`.repeat(9)}]`).join('\n')}\n` }, 'CASE_YAML', /alias/]
]
for (const [title, files, code, message] of broken) {
  t.test(`${title} is said with its place`, async (t) => {
    const error = await readCaseDirectory(makeCase(t.testdir(), files)).then(() => undefined, (thrown: unknown) => thrown)
    if (!(error instanceof CaseError)) return t.fail('a CaseError was expected')
    t.equal(error.code, code)
    t.match(error.message, message)
    t.ok(error.hint)
  })
}

t.test('a directory that is not there, or a file, is a missing case', async (t) => {
  const path = makeCase(t.testdir())
  for (const wrong of [`${path}/nowhere`, `${path}/case.yaml`]) await t.rejects(readCaseDirectory(wrong), { code: 'CASE_MISSING' })
})

t.test('the right diagnosis is read by its own function only', async (t) => {
  const path = makeCase(t.testdir(), { 'expect.yaml': 'verdict: cause\ncauses: [acme-rate-limited]\ndomains:\n' })
  t.strictSame(await readExpectation(path), { verdict: 'cause', causes: ['acme-rate-limited'], also: [], domains: [], because: '' })
  t.equal(await readExpectation(makeCase(t.testdir({}))), undefined)
  t.notMatch(JSON.stringify(await readCaseDirectory(path)), /rate-limited/)
})

t.test('the quick reader of dumps gives what the whole YAML parser gives', async (t) => {
  const word = fc.oneof(fc.string(), fc.array(fc.constantFrom('a', 'b c', ' ', '\n', '\n\n', ': ', ' #', '"', "'", '\\', '- ', '|', 'x: y', '12', 'true', '  indented', '{', '[', 'é', '---', '\u00a0')).map((parts) => parts.join('')))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, word, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(word, tie('value'), { maxKeys: 4 }))
  }))
  const style = fc.record({ lineWidth: fc.constantFrom(0, 20, 80), indent: fc.constantFrom(2, 4), indentSeq: fc.boolean(), defaultStringType: fc.constantFrom('PLAIN' as const, 'QUOTE_DOUBLE' as const, 'QUOTE_SINGLE' as const, 'BLOCK_LITERAL' as const, 'BLOCK_FOLDED' as const) })
  fc.assert(fc.property(fc.dictionary(word, value, { minKeys: 1, maxKeys: 4 }), style, (object, options) => {
    const text = stringify(object, options)
    t.strictSame(parseCaseDocuments('dump.yaml', text), [parseDocument(text, { version: '1.2', schema: 'core', uniqueKeys: false }).toJS()], text)
  }), { numRuns: 500 })
})

const dumps: [yaml: string, values: unknown[]][] = [
  ['a: |\n  one\n\n  two\n', [{ a: 'one\n\ntwo\n' }]],
  ['a: 2026-11-24T10:00:00Z\nb: yes\nc: ~\nd: 1e3\ne: 0x1f\n', [{ a: '2026-11-24T10:00:00Z', b: 'yes', c: null, d: 1000, e: 31 }]],
  ['a: 1\na: 2\n---\n---\nb: 3\n', [{ a: 2 }, { b: 3 }]],
  ['a: &x 1\nb: *x\n', [{ a: 1, b: 1 }]],
  ['%YAML 1.1\n---\na: !!str 1\n', [{ a: '1' }]],
  ['\uFEFFa: {b: c}\n', [{ a: { b: 'c' } }]]
]
for (const [yaml, values] of dumps) t.test(`reads ${JSON.stringify(yaml)}`, async (t) => t.strictSame(parseCaseDocuments('dump.yaml', yaml), values))

t.test('a dump with a mistake names its place, and one that grows by aliases is refused', async (t) => {
  t.throws(() => parseCaseDocuments('dump.yaml', 'a: 1\nb: [\n'), { message: /dump\.yaml:3:1/ })
  const bomb = ['a0: &a0 [x, x, x, x]', ...Array.from({ length: 12 }, (_, index) => `a${index + 1}: &a${index + 1} [${`*a${index}, `.repeat(9)}x]`)].join('\n')
  t.throws(() => parseCaseDocuments('dump.yaml', bomb), { message: /alias/i })
})
