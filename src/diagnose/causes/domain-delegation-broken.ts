import { defineCause, notApplicable } from '../cause.ts'
import { endedInSilence, valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

const faults: Record<string, string> = {
  nxdomain: 'its parent zone does not know it: never registered, expired or on hold', lame: 'its name servers answer that they do not have the zone',
  servfail: 'no name server of it gives an answer'
}

/** The domain itself cannot be resolved by anybody: no record below it can help until it is delegated again. */
export default defineCause({
  id: 'domain-delegation-broken',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: ['delegation', 'challenge', 'order'],
  title: 'The domain of {dnsName} is not delegated properly',
  meaning: 'Nobody on the internet can resolve {zone}: {fault}. Single records, CAA and challenges all depend on that.',
  remedy: [
    { do: 'Follow the delegation from the root.', run: 'dig +trace NS {zone}' },
    { do: 'See the registration: expiry, hold, name servers.', run: 'whois {zone}' },
    'Renew the domain, or enter at the registrar the name servers that really serve the zone.',
    { do: 'When it resolves again, start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'looking up \\w+ for (?P<zone>[^\\s:,;]+)[^;]{0,80}not authoritative|lame (delegation|server)|\\bdomain \\S+ has no (?:\\w+ )?name ?servers?\\b', confidence: 'likely' },
    { in: everywhere, match: 'looking up \\w+ for (?P<zone>[^\\s:,;]+)[^;]{0,80}no reachable authority', confidence: 'possible' }
  ],
  related: ['http01-dns-resolution-failed', 'http01-dns-record-missing', 'dns01-nameserver-failing'],

  examine ({ hits, case: incident, delegation, challenge, order, identifier }) {
    const seen = valueIn(delegation)
    const state = seen?.registeredDomainState ?? 'unknown'
    const fault = faults[state]
    const [best, ...rest] = hits
    const zone = seen?.zone?.includes('.') === true ? seen.zone : best?.groups.zone ?? identifier.name.split('.').slice(-2).join('.')
    // A resolver that does not even know the top-level domain knows too little to say that a domain is gone.
    const broken = state === 'lame' || (state === 'nxdomain' && seen?.zone !== undefined)
    if (best !== undefined) {
      const confidence = broken ? 'proven' : state === 'ok' ? 'possible' : best.rule.confidence
      return { is: 'found', confidence, blanks: { zone, fault: fault ?? 'the CA finds no server that has the zone' }, because: broken ? [best, 'delegation'] : [best, ...rest.slice(0, 3)] }
    }
    if (state === 'ok') return { is: 'ruled-out', by: ['delegation'], because: 'The zone is delegated and its name servers answer.' }
    if (!broken) return notApplicable
    // An attempt that the CA took up or that waits on DNS has met this; one that ended before newOrder has not.
    const met = valueIn(challenge) !== undefined || (valueIn(order)?.authorizations.length ?? 0) > 0 || endedInSilence(incident) ||
      incident.texts.some(({ attempt, about, problem }) => attempt !== 'earlier' && problem?.type === 'dns' && (about.length === 0 || about.includes(identifier.name)))
    return { is: 'found', confidence: met ? 'likely' : 'possible', blanks: { zone, fault: fault! }, because: ['delegation'] }
  }
})
