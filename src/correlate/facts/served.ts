import { absent, seen } from '../../shared/types/common.ts'
import type { Look } from '../../shared/types/common.ts'
import type { ServedFacts } from '../../shared/types/case.ts'
import type { HttpLook, TlsSeen } from '../../shared/types/observations.ts'
import { whyNothing } from './outside-looks.ts'
import type { OutsideContext, OutsideSeed } from './outside-looks.ts'

const day = 86_400_000
const staging = /\(STAGING\)|Fake LE |happy hacker fake|Pebble (Intermediate|Root)/i
const ingressDefault = /Kubernetes Ingress Controller Fake Certificate|TRAEFIK DEFAULT CERT|ingress\.local|Acme Co|default\.haproxy|Envoy Default/i
/** cert-manager.io/issue-temporary-certificate. */
const temporary = /^cert-manager\.local$/m

/** The certificate that clients of the name get on port 443 now. */
export function servedFacts (context: OutsideContext, identifier?: OutsideSeed): Look<ServedFacts> {
  if (identifier === undefined) return absent
  const { observations } = context
  const looks = observations.http.filter((look) => look.purpose === 'served-certificate' && look.dnsName === identifier.name)
  const found = looks.map((look) => ({ look, tls: tlsOf(look) })).find(({ tls }) => tls !== undefined && tls.names.length > 0)
  if (found === undefined) {
    // Somebody was there and showed no certificate: that is an answer.
    const failed = looks.some(({ look }) => look.is === 'seen' && look.value.hops.some(({ failure }) => failure !== undefined && failure.code !== 'not-recorded'))
    return failed ? absent : whyNothing(observations, looks, 'tls', 'port 443 was not looked at')
  }
  const { look, tls } = found as { look: HttpLook, tls: TlsSeen }
  const fake = staging.test(tls.issuer) ? 'staging' : ingressDefault.test([tls.issuer, ...tls.names].join('\n')) ? 'ingress-default' : temporary.test([tls.issuer, ...tls.names].join('\n')) ? 'temporary' : undefined
  const daysLeft = tls.notAfter === undefined ? undefined : Math.floor((tls.notAfter - observations.now) / day)
  const matchesName = tls.names.some((name) => covers(name, identifier))
  return seen({
    address: look.address,
    issuer: tls.issuer,
    names: tls.names,
    ...(tls.notAfter !== undefined && { notAfter: tls.notAfter }),
    ...(daysLeft !== undefined && { daysLeft }),
    selfSigned: tls.selfSigned,
    ...(fake !== undefined && { fake }),
    matchesName,
    evidence: [{
      source: 'tls',
      ref: `${look.address}:443 for ${identifier.name}`,
      text: `certificate for ${tls.names.slice(0, 3).join(', ')} by ${tls.selfSigned ? 'itself' : tls.issuer}${daysLeft === undefined ? '' : daysLeft < 0 ? `, expired ${-daysLeft} days ago` : `, ${daysLeft} days left`}`
    }]
  })
}

function tlsOf (look: HttpLook): TlsSeen | undefined {
  return look.look.is === 'seen' ? look.look.value.hops.find(({ tls }) => tls !== undefined)?.tls : undefined
}

function covers (pattern: string, { name, wildcard }: OutsideSeed): boolean {
  const wanted = wildcard ? `*.${name}` : name
  const lower = pattern.toLowerCase()
  if (lower === wanted) return true
  return !wildcard && lower.startsWith('*.') && lower.slice(2) === name.split('.').slice(1).join('.')
}
