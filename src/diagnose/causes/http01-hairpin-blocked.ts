import { cannotTell, defineCause, notApplicable, type Citation } from '../cause.ts'
import { hintOf, isConnectFailure, isForeignAnswer, isLoopback, opensOutside, readHttp01, selfCheckSays } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'addresses' | 'probeFromOutside' | 'probeFromCluster'

/**
 * The world can fetch the token, but the cluster cannot reach its own public address,
 * so the self check never passes and the CA is never asked to look.
 */
export default defineCause({
  id: 'http01-hairpin-blocked',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: ['challenge', 'probeFromOutside', 'probeFromCluster', 'addresses', 'routing', 'networkPolicy'],
  title: '{dnsName} answers from outside, but pods cannot reach {address}',
  meaning: 'Only cert-manager\'s own check of {address} fails ({inside}); {outside}. The CA is not asked before that check passes.',
  remedy: [
    { do: 'Ask from outside.', run: 'curl -sv --connect-timeout 10 http://{dnsName}/' },
    { do: 'Ask from a pod.', run: 'kubectl -n {certManagerNamespace} run probe --rm -it --restart=Never --image=curlimages/curl -- curl -sv --connect-timeout 10 http://{dnsName}/', changes: true },
    'Let pods reach {address}: hairpin NAT on the router or load balancer, or externalTrafficPolicy: Cluster on the ingress Service.',
    'Or resolve {dnsName} inside the cluster to the ingress Service (CoreDNS rewrite, hosts).',
    'cert-manager 1.21 can wait instead of checking: waitInsteadOfSelfCheck in the solver.'
  ],
  texts: [
    ...selfCheckSays('dial tcp \\d+\\.\\d+\\.\\d+\\.\\d+:(80|443): (i/o timeout|connect: (connection refused|no route to host|network is unreachable|host is down|connection timed out))', { confidence: 'possible', unless: 'get "https:' }),
    ...selfCheckSays('client\\.timeout exceeded|context deadline exceeded', { confidence: 'possible', unless: 'lookup |:53: |get "https:' })
  ],
  related: ['http01-self-check-egress-blocked', 'http01-proxy-protocol-mismatch', 'http01-cluster-dns-wrong', 'http01-port80-blocked'],

  examine ({ challenge, hits, addresses, routing, networkPolicy, ...rest }) {
    const reading = readHttp01({ challenge, ...rest })
    // The CA has looked for itself, so the check had passed.
    const state = valueIn(challenge)?.state
    if (reading.asked || (state !== undefined && state !== 'pending')) return notApplicable
    const open = opensOutside(reading)
    if (reading.outside !== undefined && !reading.servedOutside && !open && !['blocked', 'not-recorded', 'other'].includes(reading.outside.outcome)) return { is: 'ruled-out', by: ['probeFromOutside'], because: 'It does not answer from outside either.' }
    const { selfCheck } = reading
    const inside = selfCheck ?? (reading.inside !== undefined && !reading.servedInside && reading.inside.outcome !== 'not-recorded' && reading.inside.outcome !== 'blocked' ? { kind: reading.inside.outcome, cite: 'probeFromCluster' as const, address: reading.inside.address, words: reading.inside.outcome } : undefined)
    if (inside === undefined) return reading.servedInside ? { is: 'ruled-out', by: ['probeFromCluster'] } : challenge.is === 'unavailable' ? cannotTell(`challenge: ${challenge.why}`) : notApplicable
    const seen = valueIn(addresses)
    // Another address inside than outside: then it is the cluster's DNS.
    if (seen?.split === true) return { is: 'ruled-out', by: ['addresses'], because: 'Cluster DNS and public DNS do not agree: the check goes to another address.' }
    if (inside.kind === 'dns' || inside.kind === 'proxy' || isLoopback(inside.address)) return notApplicable
    // Our own request got through from the cluster: the way in is open, and something on cert-manager's own way is not.
    if (reading.servedInside) return { is: 'ruled-out', by: ['probeFromCluster'], because: 'From inside the cluster the token is served as well.' }

    const address = inside.address ?? seen?.clusterAddresses[0] ?? seen?.publicAddresses[0]?.address ?? 'its own address'
    const cited: [Citation<Facts>, ...Citation<Facts>[]] = [inside.cite, ...reading.servedOutside || open ? ['probeFromOutside' as const] : [], ...reading.inside !== undefined && inside.cite !== 'probeFromCluster' ? ['probeFromCluster' as const] : []]
    const blanks = { address, inside: inside.words.slice(-140), outside: reading.servedOutside ? 'from outside the token is served' : open ? 'from outside the server answers' : 'the outside view is missing' }
    const proxied = hintOf(valueIn(routing), 'proxy-protocol') !== undefined && (inside.kind === 'reset' || inside.kind === 'closed')
    // A proxy's page is no lost connection: the way out is another cause's.
    if (reading.inside?.bodyKind === 'forward-proxy') return notApplicable
    const fenced = valueIn(networkPolicy)?.controllerEgress.ports.includes(80) === true
    if (reading.servedOutside) return { is: 'found', confidence: proxied || fenced ? 'possible' : 'likely', blanks, because: cited }
    const connect = selfCheck !== undefined && isConnectFailure(selfCheck) && (selfCheck.kind === 'timeout' || selfCheck.kind === 'refused' || selfCheck.kind === 'unreachable')
    if (!connect || hits.length === 0 || isForeignAnswer(selfCheck)) return notApplicable
    return { is: 'found', confidence: open && !fenced ? 'likely' : 'possible', blanks, because: cited }
  }
})
