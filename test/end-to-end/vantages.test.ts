import { spawn } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { replayDirectory } from '../../src/cli/replay-case.ts'
import { buildOutsideClients, lookOutside } from '../../src/collect/outside.ts'
import { correlate } from '../../src/correlate/correlate.ts'
import { diagnose } from '../../src/diagnose/run.ts'
import type { Route } from '../../src/shared/clients/route.ts'
import type { Confidence, Diagnosis, FoundCause } from '../../src/shared/types/diagnosis.ts'
import type { Observations } from '../../src/shared/types/observations.ts'
import { labPair, openLab, zone } from '../support/outside-lab.ts'

const top = fileURLToPath(new URL('../cases/', import.meta.url))
const hasOutside = (name: string): boolean => ['dns', 'http', 'acme'].some((file) => existsSync(join(top, name, `${file}.yaml`)))
/** Two situations of each cause: the rest of a cause's cases vary what is inside. */
const cases = readdirSync(top).flatMap((cause) => readdirSync(join(top, cause)).map((situation) => `${cause}/${situation}`).filter(hasOutside).slice(0, 2))

/** The observations without what one vantage saw, each vantage in turn. */
function withoutEach (all: Observations): [vantage: string, Observations][] {
  const vantages = new Set([...all.dns.map(({ vantage }) => `dns ${vantage}`), ...all.http.map(({ vantage }) => `http ${vantage}`), ...(all.acme.length > 0 ? ['the CA'] : [])])
  return [...vantages].map((vantage) => [vantage, {
    ...all,
    dns: all.dns.filter((look) => `dns ${look.vantage}` !== vantage),
    http: all.http.filter((look) => `http ${look.vantage}` !== vantage),
    acme: vantage === 'the CA' ? [] : all.acme
  }])
}

const found = ({ causes, alsoFits }: Diagnosis): FoundCause[] => [...causes, ...alsoFits]
const weight: Record<Confidence, number> = { possible: 1, likely: 2, proven: 3 }

t.test('taking any one vantage away changes only what that vantage proved', async (t) => {
  t.ok(cases.length > 40, `${cases.length} cases with an outside`)
  const faults: string[] = []
  let kept = 0
  let weaker = 0
  for (const name of cases) {
    const { observations, diagnosis } = await replayDirectory(join(top, name))
    const proven = new Set(found(diagnosis).filter(({ confidence }) => confidence === 'proven').map(({ id }) => id))
    const [was] = diagnosis.causes
    for (const [vantage, less] of withoutEach(observations)) {
      const after = diagnose(correlate(less))
      for (const { id, confidence } of found(after)) if (confidence === 'proven' && !proven.has(id)) faults.push(`${name} without ${vantage}: ${id} becomes proven`)
      const [is] = after.causes
      if (is !== undefined && was === undefined) faults.push(`${name} without ${vantage}: ${id(is)} out of nothing`)
      if (is?.id === was?.id && is !== undefined && was !== undefined && weight[is.confidence] > weight[was.confidence]) faults.push(`${name} without ${vantage}: ${id(is)} was only ${was.confidence}`)
      if (is?.id === was?.id) kept++
      else weaker++
    }
  }
  t.same(faults, [], 'nothing is proven by what was not seen')
  t.ok(kept > 10 * weaker, `the same cause leads ${kept} times, another or none ${weaker} times`)
})

const id = ({ id: name, confidence }: FoundCause): string => `${name} (${confidence})`

t.test('two probes as processes and hosts of their own: one honest, one that lies, one that is dead', async (t) => {
  const dir = t.testdir({ 'cert.pem': labPair.cert, 'key.pem': labPair.key })
  const lab = openLab()
  t.teardown(() => lab.close())
  await lab.dns('10.96.0.10', zone({ 'shop.example.com A': ['203.0.113.10'] }))
  await lab.dns('1.1.1.1', zone({ 'shop.example.com A': ['203.0.113.10'] }))
  await lab.web('203.0.113.10', (_request, response) => response.end('tok.key'))

  // The probe is the program itself; its resolver is the lab's, where the name leads to this host's loopback.
  await lab.dns('192.0.2.53', zone({ 'shop.example.com A': ['127.0.0.1'] }))
  const resolver = lab.route('192.0.2.53', 53) as { port: number }
  writeFileSync(join(dir, 'probe.yaml'), `probes:\n  publicResolvers: ["127.0.0.1:${resolver.port}"]\n`)
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../src/main.ts', import.meta.url)), 'probe', '--listen', '127.0.0.1:0', '--config', join(dir, 'probe.yaml'), '--tls-cert', join(dir, 'cert.pem'), '--tls-key', join(dir, 'key.pem')], { env: { PATH: process.env['PATH'], ACME_TRIAGE_PROBE_TOKEN: 'right' }, stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  t.teardown(async () => { child.kill('SIGTERM'); await gone })
  const probePort = await new Promise<number>((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (data) => {
      text += String(data)
      const port = /answering probes on https:\/\/\S+:(\d+)/.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    child.once('exit', () => reject(new Error(`the probe ended: ${text}`)))
  })

  // A probe taken over by somebody: well-formed lies about the body, under the right token.
  const at = Date.now()
  const lie = { at, dns: [], http: [{ vantage: 'cluster', purpose: 'challenge', dnsName: 'shop.example.com', url: 'http://shop.example.com/', address: '203.0.113.10', at, ms: 1, served: true, look: { is: 'seen', value: { hops: [{ url: 'http://shop.example.com/', address: '203.0.113.10', port: 80, ms: 1, status: 200, body: '<html>not the key</html>' }] } } }] }
  const liar = createServer(labPair, (_request, response) => response.end(JSON.stringify(lie)))
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise<void>((resolve) => { liar.closeAllConnections(); liar.close(() => resolve()) }))

  const places = new Map([['8443', probePort], ['9443', (liar.address() as AddressInfo).port]])
  const route: Route = (host, port) => {
    if (host !== 'probe.example') return lab.route(host, port)
    const place = places.get(String(port))
    return place === undefined ? { fails: 'refused' } : { host: '127.0.0.1', port: place }
  }
  const outside = [
    { name: 'honest', url: 'https://probe.example:8443', token: 'right', ca: labPair.cert },
    { name: 'liar', url: 'https://probe.example:9443', token: 'right', ca: labPair.cert },
    { name: 'dead', url: 'https://probe.example:10443', token: 'right', ca: labPair.cert },
    { name: 'locked', url: 'https://probe.example:8443', token: 'wrong', ca: labPair.cert },
    { name: 'untrusted', url: 'https://probe.example:8443', token: 'right' }
  ]
  const clients = buildOutsideClients({ enabled: true, clusterResolvers: ['10.96.0.10'], publicResolvers: ['1.1.1.1'], dohResolvers: [], allow: [], contact: '', outside, interval: 0 }, { route, clock: { now: () => Date.now() }, documentationIsPublic: true, timeouts: { probe: 60_000, hop: 60_000, connect: 60_000 } })
  const seen = await lookOutside({ identifiers: [{ name: 'shop.example.com', type: 'dns', wildcard: false, challengeType: 'HTTP-01', token: 'tok', key: 'tok.key' }], clusterAddresses: [] }, clients, clients.clock, AbortSignal.timeout(60_000))

  const rows = new Map(seen.looks.filter(({ source }) => source === 'http outside').map((row) => [row.what.split('outside:')[1], row]))
  t.match(rows.get('honest'), { is: 'unavailable', why: /loopback address/ }, 'the probe\'s own guard holds where its resolver leads it astray')
  t.match(rows.get('dead'), { is: 'unavailable', why: /cannot be asked.*refused/ })
  t.match(rows.get('locked'), { is: 'unavailable', why: /does not accept our token/ })
  t.match(rows.get('untrusted'), { is: 'unavailable', why: /not trusted/ })
  t.ok(seen.dns.some(({ vantage, look }) => vantage === 'outside:honest' && look.is === 'seen'), 'its records came all the same')
  const lied = seen.http.filter(({ vantage }) => vantage === 'outside:liar')
  t.match(lied, [{ vantage: 'outside:liar', served: false }], 'a liar speaks for itself alone, and we compare the body ourselves')
  t.match(seen.http.filter(({ vantage, purpose }) => vantage === 'cluster' && purpose === 'challenge'), [{ served: true }], 'nobody else is changed')
})
