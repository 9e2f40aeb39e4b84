import { createHash } from 'node:crypto'
import { absent, seen } from '../../shared/types/common.ts'
import type { Look } from '../../shared/types/common.ts'
import type { TxtFacts } from '../../shared/types/case.ts'
import type { DnsLook, Observations } from '../../shared/types/observations.ts'
import { cnamesOf, dataOf, dnsEvidence, field, isAnswered, looksOf, text, whyNothing } from './outside-looks.ts'
import type { OutsideContext, OutsideSeed } from './outside-looks.ts'

/** What `_acme-challenge` answers at every server, against the value that cert-manager wants there. */
export function txtFacts (context: OutsideContext, identifier?: OutsideSeed): Look<TxtFacts> {
  if (identifier === undefined || identifier.type === 'ip' || identifier.challengeType === 'HTTP-01') return absent
  const { observations } = context
  const name = `_acme-challenge.${identifier.name}`
  const atName = looksOf(observations, name, ['TXT'])
  const cname = atName.map(cnamesOf).find((chain) => chain.length > 0)
  const target = cname?.at(-1)
  const atTarget = target === undefined ? [] : looksOf(observations, target, ['TXT'])
  // A server that only hands out the CNAME has said all it knows: the target's servers hold the values.
  const telling = [...atName.filter((look) => !(look.vantage === 'authoritative' && cnamesOf(look).length > 0 && dataOf(look, 'TXT').length === 0)), ...atTarget]
  if (!telling.some(isAnswered)) return whyNothing(observations, telling, 'dns', 'no DNS look was made')

  const expected = expectedValue(identifier)
  const servers = telling.map((look) => toServer(observations, look, expected))
  const values = [...new Set(servers.flatMap((server) => server.values))]
  const control = observations.dns.find((look) => look.type === 'TXT' && look.name.endsWith(`.${identifier.name}`) && look.name.startsWith('acme-triage-wildcard-check.'))
  const doubled = observations.dns.find((look) => look.type === 'TXT' && look.name.startsWith(`${name}.`) && dataOf(look, 'TXT').length > 0)
  const wildcardAnswer = control !== undefined && dataOf(control, 'TXT').length > 0
  return seen({
    name,
    ...(cname !== undefined && { cname }),
    ...(expected !== undefined && { expected }),
    servers,
    state: stateOf(servers, expected),
    foreignDigests: values.filter((value) => value !== expected && /^[\w-]{43}$/.test(value)),
    wildcardAnswer,
    ...(doubled !== undefined && !wildcardAnswer && { doubledAt: doubled.name }),
    evidence: telling.map((look) => dnsEvidence(look))
  })
}

/** cert-manager keeps the TXT value itself in spec.key; a key authorization (token, dot, thumbprint) is digested. */
function expectedValue ({ challenge, challengeType }: OutsideSeed): string | undefined {
  const key = text(field(challenge?.spec, 'key'))
  if (key === undefined || key === '' || challengeType !== 'DNS-01') return undefined
  return key.includes('.') ? createHash('sha256').update(key).digest('base64url') : key
}

function toServer (observations: Observations, look: DnsLook, expected: string | undefined): TxtFacts['servers'][number] {
  const values = dataOf(look, 'TXT')
  const serial = observations.dns.filter((soa) => soa.type === 'SOA' && soa.server === look.server && look.name.endsWith(soa.name)).flatMap((soa) => dataOf(soa, 'SOA')).map((data) => Number(data.split(' ')[2]))[0]
  const negativeTtl = values.length === 0 ? negativeTtlOf(look) : undefined
  return {
    vantage: look.vantage,
    server: look.server,
    ...(isAnswered(look) && { rcode: look.look.value.rcode }),
    ...(look.failure !== undefined && { failure: look.failure }),
    values,
    hasExpected: expected !== undefined && values.includes(expected),
    ...(serial !== undefined && { serial }),
    ...(negativeTtl !== undefined && { negativeTtl })
  }
}

/** Seconds for which a resolver will go on saying "no such record" (RFC 2308: the lesser of the SOA's TTL and minimum). */
function negativeTtlOf (look: DnsLook): number | undefined {
  if (!isAnswered(look)) return undefined
  const soa = look.look.value.authority.find((record) => record.type === 'SOA')
  const minimum = Number(soa?.data.split(' ')[6])
  return soa === undefined || Number.isNaN(minimum) ? undefined : Math.min(soa.ttl, minimum)
}

/** Authoritative servers decide when any answered; else the public resolvers; the cluster's own view never does. */
function stateOf (servers: TxtFacts['servers'], expected: string | undefined): TxtFacts['state'] {
  const answered = servers.filter((server) => server.rcode === 'NOERROR' || server.rcode === 'NXDOMAIN')
  const authoritative = answered.filter((server) => server.vantage === 'authoritative')
  const deciding = authoritative.length > 0 ? authoritative : answered.filter((server) => server.vantage !== 'cluster')
  if (deciding.length === 0) return 'unknown'
  const holding = deciding.filter((server) => server.hasExpected).length
  if (holding === deciding.length) return 'everywhere'
  if (holding > 0) return 'partial'
  // A value that the zone no longer has and resolvers still hand out is what a CA meets, too.
  if (answered.every((server) => server.vantage === 'cluster' || server.values.every((value) => value === expected))) return 'none'
  return expected === undefined ? 'unknown' : 'other-values'
}
