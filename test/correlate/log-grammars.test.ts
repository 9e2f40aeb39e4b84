import t from 'tap'
import * as fc from 'fast-check'
import { readLog } from '../../src/correlate/log-grammars/read-log.ts'
import { readPairs, unquote } from '../../src/correlate/log-grammars/pairs.ts'

const from = { namespace: 'cert-manager', pod: 'cert-manager-1', container: 'cert-manager-controller', role: 'controller' as const }
const before = Date.UTC(2026, 10, 24, 12)
const read = (...lines: string[]) => readLog(lines.map(text => ({ text })), from, before)

const same: { title: string, lines: string[], logger: string }[] = [
  {
    title: 'klogr up to v1.11, keys sorted and quoted',
    lines: ['E1017 16:19:41.560836       1 sync.go:190] cert-manager/challenges "msg"="propagation check failed" "error"="DNS record for \\"auth.example.com\\" not yet propagated" "dnsName"="auth.example.com" "resource_kind"="Challenge" "resource_name"="auth-1" "resource_namespace"="default" "resource_version"="v1" "type"="DNS-01"'],
    logger: 'cert-manager.challenges'
  },
  {
    title: 'v1.12 and v1.13, logger glued into the message',
    lines: ['E1226 02:26:37.525750 1 sync.go:190] "cert-manager/challenges: propagation check failed" err="DNS record for \\"auth.example.com\\" not yet propagated" resource_name="auth-1" resource_namespace="default" resource_kind="Challenge" resource_version="v1" dnsName="auth.example.com" type="DNS-01"'],
    logger: 'cert-manager.challenges'
  },
  {
    title: 'v1.14, logger as a key',
    lines: ['E1226 02:26:37.525750 1 sync.go:190] "propagation check failed" err="DNS record for \\"auth.example.com\\" not yet propagated" logger="cert-manager.challenges" resource_name="auth-1" resource_namespace="default" resource_kind="Challenge" resource_version="v1" dnsName="auth.example.com" type="DNS-01"'],
    logger: 'cert-manager.challenges'
  },
  {
    title: 'from v1.15 on, behind the kubelet\'s time',
    lines: ['2026-10-05T19:55:23.760300001Z E1005 19:55:23.760244 1 sync.go:208] "propagation check failed" err="DNS record for \\"auth.example.com\\" not yet propagated" logger="cert-manager.controller" resource_name="auth-1" resource_namespace="default" resource_kind="Challenge" resource_version="v1" dnsName="auth.example.com" type="DNS-01"'],
    logger: 'cert-manager.controller'
  },
  {
    title: 'JSON',
    lines: ['{"ts":1731962429714.193,"caller":"acmechallenges/sync.go:208","msg":"propagation check failed","logger":"cert-manager.controller","resource_name":"auth-1","resource_namespace":"default","resource_kind":"Challenge","resource_version":"v1","dnsName":"auth.example.com","type":"DNS-01","err":"DNS record for \\"auth.example.com\\" not yet propagated"}'],
    logger: 'cert-manager.controller'
  }
]

t.test('the same failure reads the same in every grammar:', async t => {
  for (const { title, lines, logger } of same) {
    const [record, ...more] = read(...lines)
    t.equal(more.length, 0, `${title}: one entry`)
    t.match(record, { level: 'error', message: 'propagation check failed', err: 'DNS record for "auth.example.com" not yet propagated', logger }, title)
    t.match(Object.fromEntries(record!.fields), { resource_name: 'auth-1', resource_namespace: 'default', dnsName: 'auth.example.com', type: 'DNS-01' }, `${title}: keys`)
    t.notOk(record!.foreign)
  }
})

t.test('times: the kubelet\'s wins, JSON has milliseconds, a header finds its year', async t => {
  t.equal(read(same[3]!.lines[0]!)[0]!.time, Date.parse('2026-10-05T19:55:23.760Z'))
  t.equal(read(same[4]!.lines[0]!)[0]!.time, 1731962429714)
  t.equal(read(same[0]!.lines[0]!)[0]!.time, Date.UTC(2026, 9, 17, 16, 19, 41, 560))
  t.equal(read(same[1]!.lines[0]!)[0]!.time, Date.UTC(2025, 11, 26, 2, 26, 37, 525), 'a date after the look lies in the year before')
})

t.test('an error over several lines is one entry, and the keys behind it belong to it', async t => {
  const records = read(
    'E0822 10:00:04.000000 1 controller.go:155] "re-queuing item due to error processing" err=<',
    '\twhile querying the Cloudflare API for GET "/zones?name=example.com" ',
    '\t\t Error: 9109: Invalid access token',
    ' > logger="cert-manager.controller"',
    'I0822 10:00:05.000000 1 controller.go:1] "next" logger="cert-manager"'
  )
  t.equal(records.length, 2)
  t.equal(records[0]!.err, 'while querying the Cloudflare API for GET "/zones?name=example.com" \n\t Error: 9109: Invalid access token')
  t.equal(records[0]!.logger, 'cert-manager.controller')
  t.equal(records[1]!.message, 'next')
})

t.test('a block that never ends, a new entry inside it, and a cut string', async t => {
  const records = read(
    'E0822 10:00:04.000000 1 controller.go:155] "re-queuing item due to error processing" err=<',
    '\tfirst',
    'E0822 10:00:04.100000 1 sync.go:1] "error accepting challenge" err="502 : <html>'
  )
  t.match(records.map(({ err, cut }) => ({ err, cut })), [{ err: 'first', cut: true }, { err: '502 : <html>', cut: true }])
})

t.test('a JSON line that was cut keeps what it still says', async t => {
  const [record] = read('{"ts":1731962429714.1,"caller":"a/sync.go:1","msg":"error accepting challenge","resource_name":"web-1","err":"acme: authoriz')
  t.match(record, { message: 'error accepting challenge', err: 'acme: authoriz', cut: true })
  t.equal(record!.fields.get('resource_name'), 'web-1')
})

t.test('JSON: names as objects, errCauses, levels', async t => {
  const [info, error, bare] = read(
    '{"ts":1.5,"caller":"x.go:1","msg":"a","v":2,"key":{"name":"web","namespace":"shop"},"error":"Operation"}',
    '{"ts":1,"caller":"x.go:1","msg":"b","err":"two","errCauses":[{"error":"one"}]}',
    '{"ts":1,"caller":"x.go:1","msg":"challenge in work queue no longer exists"}'
  )
  t.match(info, { level: 'info', err: 'Operation', time: 1500 })
  t.equal(info!.fields.get('key'), 'shop/web')
  t.match(error, { level: 'error', err: 'two' })
  t.notOk(error!.fields.has('errCauses'))
  t.equal(bare!.level, 'error', 'an error without a value has neither err nor v')
})

t.test('usage text and other programs\' lines are kept as foreign, and the entry behind them is read', async t => {
  const usage = Array.from({ length: 93 }, (_, line) => `      --flag-${line} string   explains "itself" (default 1)`)
  const records = read('Usage:', '  controller [flags]', ...usage, '', 'E1124 02:31:31.000000 1 main.go:40] "error executing command" err="error starting controller: leader election lost" logger="cert-manager"', 'exec user process caused "exec format error"')
  t.equal(records.filter(({ foreign }) => foreign === true).length, 97)
  t.match(records.at(-2), { message: 'error executing command', err: 'error starting controller: leader election lost' })
})

t.test('a line of a megabyte is cut and still read', async t => {
  const [record] = read(`E1124 02:31:31.000000 1 sync.go:1] "error accepting challenge" err="${'x'.repeat(1_000_000)}" resource_name="web-1"`)
  t.equal(record!.message, 'error accepting challenge')
  t.equal(record!.cut, true)
  t.ok(record!.raw.length <= 16_384)
})

t.test('pairs: bare words, JSON, repeated keys, Go escapes', async t => {
  const { fields } = readPairs('a=1 dnsNames=["a.example.com","b c"] ipAddresses=null h={"Retry-After":["10"]} "quoted key"="x" resource_name="one" resource_name="one" last="tab\\there\\u00e9"')
  t.same(Object.fromEntries(fields), { a: '1', dnsNames: '["a.example.com","b c"]', ipAddresses: 'null', h: '{"Retry-After":["10"]}', 'quoted key': 'x', resource_name: 'one', last: 'tab\thereé' })
  t.equal(unquote('a\\\\n'), 'a\\n')
})

t.test('no input makes the reader throw or lose the entry behind it', async () => {
  const header = 'E1124 02:31:31.000000 1 sync.go:1] '
  const good = `${header}"good" err="yes" resource_name="web-1"`
  fc.assert(fc.property(fc.array(fc.oneof(fc.string(), fc.string().map(text => header + text), fc.string().map(text => `{"msg":${text}`)), { maxLength: 20 }), lines => {
    const records = read(...lines.map(line => line.replaceAll('\n', ' ')), good)
    const last = records.at(-1)!
    return last.message === 'good' && last.err === 'yes' && last.fields.get('resource_name') === 'web-1'
  }), { numRuns: 300 })
})
