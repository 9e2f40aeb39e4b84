import { defineCause, notApplicable } from '../cause.ts'

/** The cluster's resolver shows an internal view of the zone; the world, and the CA, see another. */
export default defineCause({
  id: 'dns01-split-horizon',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: ['txt', 'delegation', 'challenge', 'addresses'],
  title: 'The cluster\'s resolver shows another zone for {dnsName} than the world',
  meaning: 'cert-manager asks the cluster\'s resolver, and that one has a view of its own: {difference}',
  remedy: [
    { do: 'Compare both views.', run: 'kubectl run -it --rm dig --image=busybox --restart=Never -- nslookup -type=soa {dnsName}; dig SOA {dnsName} @1.1.1.1' },
    { do: 'Let cert-manager ask public resolvers.', run: 'kubectl -n {certManagerNamespace} edit deploy cert-manager   # --dns01-recursive-nameservers=1.1.1.1:53 --dns01-recursive-nameservers-only', changes: true }
  ],
  related: ['dns01-not-propagated', 'dns01-zone-not-found', 'dns01-stale-txt-record'],
  texts: [
    // These four serve every private hosted zone of Route 53, and nobody outside the network.
    { in: ['challenge', 'event', 'log', 'alert'], match: 'NS (?P<server>ns-(?:0|512|1024|1536)\\.awsdns-00\\.(?:com|net|org|co\\.uk))', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'NS (?P<server>[\\w.-]+\\.(?:svc|cluster\\.local|internal|lan|localdomain))\\.?:53 returned', confidence: 'likely' }
  ],

  examine ({ hits, txt, delegation, challenge, addresses, case: incident, identifier }) {
    if (challenge.is === 'seen' && challenge.value.asked && challenge.value.state !== 'pending') return notApplicable
    if (delegation.is === 'seen') {
      const { clusterZone, publicZone } = delegation.value
      if (clusterZone !== undefined && publicZone !== undefined && clusterZone !== publicZone) {
        return { is: 'found', confidence: 'likely', blanks: { difference: `it has the zone ${clusterZone}, the world has ${publicZone}.` }, because: ['delegation'] }
      }
    }
    const [best] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { difference: `it names ${best.groups.server ?? 'servers'} as name server, which the internet does not ask.` }, because: [best] }
    if (txt.is !== 'seen' || txt.value.expected === undefined) return notApplicable
    const inside = txt.value.servers.filter(({ vantage, failure }) => vantage === 'cluster' && failure === undefined)
    const outside = txt.value.servers.filter(({ vantage, failure }) => vantage !== 'cluster' && failure === undefined)
    if (inside.length === 0 || outside.length === 0) return notApplicable
    const worldHas = outside.every(({ hasExpected }) => hasExpected)
    if (!worldHas) return notApplicable
    if (inside.every(({ hasExpected }) => hasExpected)) return { is: 'ruled-out', by: ['txt'], because: 'The cluster\'s resolver and the world give the same TXT value.' }
    const otherValue = inside.some(({ values }) => values.length > 0)
    const split = otherValue || (addresses.is === 'seen' && addresses.value.split)
    const primary = delegation.is === 'seen' ? delegation.value.clusterPrimary : undefined
    if (primary !== undefined && !otherValue) return { is: 'found', confidence: 'likely', blanks: { difference: `it has a zone of ${primary}, without the TXT record that every other server has.` }, because: ['txt', 'delegation'] }
    // The check still waits for what the whole world has: then it asks somebody else.
    const waits = incident.texts.find(({ attempt, wrapper, about, core }) => attempt === 'current' && wrapper === 'self-check' && (about.length === 0 || about.includes(identifier.name)) && core.includes('not yet propagated'))
    return { is: 'found', confidence: split ? 'likely' : 'possible', blanks: { difference: otherValue ? 'it answers with another TXT value than every other server.' : 'it does not have the TXT record that every other server has.' }, because: waits === undefined ? ['txt'] : ['txt', waits] }
  }
})
