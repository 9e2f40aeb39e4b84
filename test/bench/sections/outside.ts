import { buildOutsideClients, lookOutside, type OutsideIdentifier } from '../../../src/collect/outside.ts'
import type { Route } from '../../../src/shared/clients/route.ts'
import { loadConfig } from '../../../src/shared/config/load.ts'
import { processorOf, rounded, spread, startHelper, type Row, type Section } from '../measure.ts'
import type { LabSize } from '../lab-process.ts'

const nameServers = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']
const resolvers = ['9.9.9.1', '9.9.9.2', '9.9.9.3']
const addresses = ['203.0.113.10', '203.0.113.11']
const token = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA'

/** DNS, HTTP and the outside probe about the names of one order. */
export const outside: Section = {
  name: 'outside',
  title: 'Looks outside: 4 authoritative servers, 3 resolvers, 2 addresses, 1 outside probe, 20 ms for every answer',
  async run (options) {
    const many = options.number('identifiers', 50)
    const size: LabSize = { names: Array.from({ length: many }, (_, index) => `shop${index}.example.com`), nameServers, resolvers: [...resolvers, '10.96.0.10'], addresses, delay: options.number('delay', 20) }
    const lab = await startHelper<{ places: Record<string, { host: string, port: number }> }>('lab-process.ts', { ...size })
    const route: Route = (host, port) => lab.ready.places[`${host}:${port}`] ?? { fails: 'refused' }
    try {
      const single = await rounds(options.number('rounds', 40), route, size.names.slice(0, 1))
      const order = await rounds(5, route, size.names)
      return [
        row('one identifier', single, p50 => ({ text: 'p50 under 400 ms', met: p50 < 400 })),
        row(`${many} identifiers of one order`, order, p50 => ({ text: 'under 3 s', met: p50 < 3_000 }))
      ]
    } finally {
      await lab.stop()
    }
  }
}

interface Round { milliseconds: number, looks: number, unanswered: number, processor: number }

async function rounds (count: number, route: Route, names: string[]): Promise<Round[]> {
  const probes = { ...loadConfig({}).probes, enabled: true, clusterResolvers: ['10.96.0.10'], publicResolvers: resolvers, dohResolvers: [], outside: [{ name: 'frankfurt', url: 'http://probe.example:8080', token: 'bench' }] }
  const clock = { now: () => Date.now() }
  const identifiers = names.map((name): OutsideIdentifier => ({ name, type: 'dns', wildcard: false, challengeType: 'HTTP-01', token, key: `${token}.thumbprint` }))
  const results: Round[] = []
  // The first round compiles; it is not counted.
  for (let index = 0; index <= count; index++) {
    const clients = buildOutsideClients(probes, { route, clock, documentationIsPublic: true })
    const before = processorOf(process.pid)
    const began = performance.now()
    const findings = await lookOutside({ identifiers, clusterAddresses: [addresses[0]!] }, clients, clock, AbortSignal.timeout(10_000))
    if (index > 0) results.push({ milliseconds: performance.now() - began, processor: processorOf(process.pid) - before, looks: findings.dns.length + findings.http.length, unanswered: findings.looks.filter(({ is }) => is === 'unavailable').length })
  }
  return results
}

function row (what: string, results: Round[], aim: (p50: number) => Row['aim']): Row {
  const { p50, p99, max } = spread(results.map(({ milliseconds }) => milliseconds))
  const [first] = results
  return { what, values: { 'p50 ms': p50, 'p99 ms': p99, 'max ms': max, looks: first!.looks, 'not answered': first!.unanswered, 'CPU ms': rounded(spread(results.map(({ processor }) => processor)).p50, 0) }, aim: aim(p50) }
}
