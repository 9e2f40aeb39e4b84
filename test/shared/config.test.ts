import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import t from 'tap'
import { loadConfig, secretsOf } from '../../src/shared/config/load.ts'
import { nearest } from '../../src/shared/config/nearest.ts'
import { parseDuration, parseListen, parseSize } from '../../src/shared/config/units.ts'
import { errors, reasonOf, TriageError } from '../../src/shared/errors.ts'
import { buildLog } from '../../src/shared/log.ts'

t.test('nothing at all is a configuration', async t => {
  const config = loadConfig({})
  t.match(config, {
    listen: { host: '0.0.0.0', port: 8080 }, dataDir: './data', publicUrl: 'http://localhost:8080', databaseUrl: undefined,
    webhook: { tokens: [], basic: [], bodyLimit: 8_388_608 }, collect: { deadline: 5_000 }, probes: { enabled: true },
    slack: { apiUrl: 'https://slack.com/api/', storm: { threshold: 8, window: 120_000 } }, alertmanager: { urls: [], mode: 'off' }
  })
})

t.test('the environment alone is enough', async t => {
  const directory = t.testdir({ token: 'from-file\n' })
  const config = loadConfig({
    ACME_TRIAGE_LISTEN: '[::1]:9000', ACME_TRIAGE_DATA_DIR: '/data', DATABASE_URL: 'postgres://u:pa%20ss@db/x', ACME_TRIAGE_WEBHOOK_TOKEN: 'one, two', ACME_TRIAGE_PUBLIC_URL: 'https://t.example/',
    KUBECONFIG: '/k', ACME_TRIAGE_PROBES: 'off', SLACK_BOT_TOKEN_FILE: join(directory, 'token'), SLACK_CHANNEL: 'C1', SLACK_API_URL: 'http://127.0.0.1:1/api', ALERTMANAGER_URLS: 'http://a:9093/, http://b:9093/am/'
  })
  t.match(config, {
    listen: { host: '::1', port: 9000 }, dataDir: '/data', publicUrl: 'https://t.example', webhook: { tokens: ['one', 'two'] }, kubernetes: { kubeconfig: '/k' }, probes: { enabled: false },
    slack: { token: 'from-file', tokenFile: join(directory, 'token'), channel: 'C1', apiUrl: 'http://127.0.0.1:1/api/' }, alertmanager: { urls: ['http://a:9093', 'http://b:9093/am'], mode: 'api' }
  })
  t.same(secretsOf(config).filter(secret => ['one', 'two', 'from-file', 'pa%20ss'].includes(secret)), ['from-file', 'pa%20ss'], 'known secrets, but for the very short')
})

t.test('the file, and the environment above it', async t => {
  const file = join(t.testdir(), 'config.yaml')
  writeFileSync(file, 'listen: ":8181"\nslack: {channel: C9, storm: {threshold: 0, window: 90s}}\ncollect: {deadline: 1m30s, logBytes: 10MiB}\nretention: 2w\ncauses: {acme-rate-limited: {lowest: likely}}\n')
  const config = loadConfig({ ACME_TRIAGE_CONFIG: file, SLACK_CHANNEL: 'C1' })
  t.match(config, { listen: { port: 8181 }, slack: { channel: 'C1', storm: { threshold: 0, window: 90_000 } }, collect: { deadline: 90_000, logBytes: 10_485_760 }, retention: 1_209_600_000, causes: { 'acme-rate-limited': { lowest: 'likely' } } })
  writeFileSync(file, '# nothing yet\n')
  t.equal(loadConfig({}, { file }).listen.port, 8080)
})

t.test('mistakes are told with their place and what was meant', async t => {
  const cases: { title: string, yaml?: string, env?: Record<string, string>, code: string, says: RegExp }[] = [
    { title: 'a key that does not exist', yaml: 'collect: {}\nslak:\n  channel: x', code: 'CONFIG_INVALID', says: /config\.yaml:2:1: unknown key slak, did you mean slack\?/ },
    { title: 'a key below another', yaml: 'slack:\n  storm:\n    treshold: 3', code: 'CONFIG_INVALID', says: /:3:5: unknown key slack\.storm\.treshold, did you mean threshold\?/ },
    { title: 'a key that nothing is near to', yaml: 'xyzzy: 1', code: 'CONFIG_INVALID', says: /:1:1: unknown key xyzzy Known here: listen/ },
    { title: 'a secret in the file', yaml: 'slack:\n  token: xoxb-1', code: 'CONFIG_INVALID', says: /:2:3: slack\.token is a secret .*SLACK_BOT_TOKEN/ },
    { title: 'a wrong duration', yaml: 'collect:\n  deadline: 5 minutes', code: 'CONFIG_INVALID', says: /:2:13: collect\.deadline must be a duration such as/ },
    { title: 'a wrong type', yaml: 'slack:\n  operators: U1', code: 'CONFIG_INVALID', says: /:2:14: slack\.operators must be array/ },
    { title: 'a word that is none of the list', yaml: 'alertmanager:\n  mode: push', code: 'CONFIG_INVALID', says: /:2:9: alertmanager\.mode must be one of api, tee/ },
    { title: 'an item of a list', yaml: 'slack:\n  routes:\n    - {namespace: shop}', code: 'CONFIG_INVALID', says: /:3:7: slack\.routes\.0 must have required property 'channel'/ },
    { title: 'YAML that is none', yaml: 'slack: {\n  channel: x\nlisten: y', code: 'CONFIG_YAML', says: /config\.yaml:\d+:\d+: not valid YAML/ },
    { title: 'a key twice', yaml: 'retention: 1d\nretention: 2d', code: 'CONFIG_YAML', says: /:2:1: not valid YAML: Map keys must be unique/ },
    { title: 'a list instead of a map', yaml: '- a', code: 'CONFIG_INVALID', says: /:1:1: the file must be object/ },
    { title: 'an alias bomb', yaml: `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d]`, code: 'CONFIG_YAML', says: /alias/i },
    { title: 'a file that is not there', code: 'CONFIG_UNREADABLE', says: /nowhere\.yaml/, env: { ACME_TRIAGE_CONFIG: '/nowhere.yaml' } },
    { title: 'a wrong variable', code: 'CONFIG_INVALID', says: /environment variable ACME_TRIAGE_LISTEN: must be host:port/, env: { ACME_TRIAGE_LISTEN: '8080' } },
    { title: 'a wrong switch', code: 'CONFIG_INVALID', says: /ACME_TRIAGE_PROBES/, env: { ACME_TRIAGE_PROBES: 'maybe' } },
    { title: 'a wrong URL', code: 'CONFIG_INVALID', says: /ALERTMANAGER_URLS/, env: { ALERTMANAGER_URLS: 'alertmanager:9093' } },
    { title: 'a secret given twice', code: 'CONFIG_SECRET', says: /both SLACK_BOT_TOKEN and SLACK_BOT_TOKEN_FILE/, env: { SLACK_BOT_TOKEN: 'a', SLACK_BOT_TOKEN_FILE: '/b' } },
    { title: 'a secret file that is not there', code: 'CONFIG_SECRET', says: /ENOENT/, env: { SLACK_BOT_TOKEN_FILE: '/nowhere' } }
  ]
  for (const { title, yaml, env = {}, code, says } of cases) {
    await t.test(title, async t => {
      const file = yaml === undefined ? undefined : join(t.testdir({ 'config.yaml': yaml }), 'config.yaml')
      try {
        loadConfig(env, { file })
        t.fail('it was taken')
      } catch (error) {
        t.ok(error instanceof TriageError, reasonOf(error))
        const { code: given, message, hint } = error as TriageError
        t.equal(given, code)
        t.match(`${message} ${hint}`, says)
      }
    })
  }
})

t.test('units', async t => {
  t.same(['5m', '1h30m', '500ms', '1.5s', '2d', '1w', '0'].map(parseDuration), [300_000, 5_400_000, 500, 1_500, 172_800_000, 604_800_000, 0])
  t.same(['5', 'm', '5 m', '-5m', '5min', ''].map(parseDuration), Array.from({ length: 6 }))
  t.same(['8MiB', '1 GB', '10', 12, '3kB', -1, '5 apples'].map(parseSize), [8_388_608, 1e9, 10, 12, 3_000, undefined, undefined])
  t.same([':8080', '127.0.0.1:1', '[::]:9', 'host:70000', '8080'].map(parseListen), [{ host: '0.0.0.0', port: 8080 }, { host: '127.0.0.1', port: 1 }, { host: '::', port: 9 }, undefined, undefined])
  t.equal(nearest('alert-manager', ['alertmanager', 'slack']), 'alertmanager')
  t.equal(nearest('whatever', ['alertmanager', 'slack']), undefined)
})

t.test('every error has its blanks filled or says so', async t => {
  for (const [code, { message, hint }] of Object.entries(errors)) {
    t.match(code, /^[A-Z_]+$/)
    t.ok(message.length >= 5 && hint.length >= 5, code)
  }
  t.same(new TriageError('QUEUE_FULL', { depth: 7 }).toJSON(), { code: 'QUEUE_FULL', message: 'Too much work is waiting (7 jobs).', hint: errors.QUEUE_FULL.hint, retry: 'soon' })
  t.equal(reasonOf(new AggregateError([], '')), 'AggregateError')
  t.equal(reasonOf(new Error('outer', { cause: new Error('inner') })), 'outer (inner)')
})

t.test('the log keeps secrets, wherever they turn up', async t => {
  const lines: string[] = []
  const log = buildLog({ level: 'info', secrets: ['s3cr"et-value'], destination: new Writable({ write (chunk, _encoding, done) { lines.push(String(chunk)); done() } }) })
  log.warn({ token: 'plain', nested: { password: 'plain' }, text: 'it was s3cr"et-value', err: new Error('GET https://user:hunter22@host/ Bearer abcdefghijklmnop') }, 'xoxb-123456789012-abcdef')
  const [line = ''] = lines
  t.notMatch(line, /plain|et-value|hunter22|abcdefghijklmnop|xoxb-1234/)
  t.doesNotThrow(() => JSON.parse(line), 'and the line is still JSON')
})
