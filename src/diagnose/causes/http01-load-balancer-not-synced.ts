import ipaddr from 'ipaddr.js'
import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { hintOf, http01Facts, isConnectFailure, isForeignAnswer, isGatewayStatus, readHttp01, solverClaim } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'routing' | 'addresses' | 'probeFromOutside' | 'probeFromCluster'

/** The rule for the challenge never arrived at the machine that answers port 80. */
export default defineCause({
  id: 'http01-load-balancer-not-synced',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: [...http01Facts, 'routing', 'addresses'],
  title: 'The load balancer of {dnsName} was never programmed for the challenge: {why}',
  meaning: 'The objects in the cluster are there, but the load balancer or ingress controller in front did not take them over: {why}.',
  remedy: [
    { do: 'See what the controller says of the Ingress and Service.', run: 'kubectl get events -A --field-selector type=Warning | grep -Ei "ingress|service|gateway"' },
    { do: 'See which controllers run and which front has an address.', run: 'kubectl get service -A --field-selector spec.type=LoadBalancer; kubectl get ingress -A' },
    'GKE: one load balancer per Ingress, so use acme.cert-manager.io/http01-edit-in-place with cert-manager.io/issue-temporary-certificate, and a NodePort solver Service.',
    'AWS ALB: put solver and site into one group (alb.ingress.kubernetes.io/group.name in ingressTemplate) and let both have port 80.'
  ],
  texts: [
    { in: ['event', 'object'], match: 'error (during sync|running load balancer syncing routine)|translation failed: invalid ingress spec|evaluating the ingress spec: |could not find (matching )?nodeport', confidence: 'proven' },
    { in: ['event', 'object'], match: 'error (syncing|ensuring|creating|updating) load ?balancer|failed to ensure load ?balancer', confidence: 'proven' },
    { in: ['event', 'object'], match: 'failed (build|deploy) model|(couldn\'t|could not|unable to) (auto-discover|resolve|find) (at least|any|the|suitable)?.{0,30}subnet', confidence: 'proven', when: { objectKind: ['Ingress', 'Service', 'Gateway'] } },
    { in: ['event', 'object'], match: 'no available ips?|failed to allocate ip|allocationfailed', confidence: 'likely', when: { objectKind: ['Service', 'Gateway'] } },
    // What controllers of several makes call it when they leave an Ingress out of their configuration.
    { in: ['event'], match: '(translation|apply|sync) ?(failed|aborted)|failed to (translate|apply|sync)\\b|synced failed|(updated|added)witherror|was not applied|^rejected: ', when: { objectKind: ['Ingress'] }, unless: 'taken by other', confidence: 'likely' },
    { in: ['event', 'object'], match: 'error obtaining endpoints|failed to (configure|program|update) (application gateway|nginx|haproxy|configuration)|error reloading nginx|configuration (file )?.{0,40}test failed', confidence: 'likely' }
  ],
  related: ['http01-ingress-class-mismatch', 'http01-port80-blocked', 'http01-dns-points-elsewhere'],

  examine ({ hits, routing, addresses, ...rest }) {
    const reading = readHttp01(rest)
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const facts = valueIn(routing)
    const claim = solverClaim(facts)
    const [best, ...more] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { why: best.text.core.slice(0, 200) }, because: [best, ...more.slice(0, 1)] }
    if (facts === undefined || reading.failure === undefined) return notApplicable
    if (!isConnectFailure(reading.failure) && !isForeignAnswer(reading.failure) && !isGatewayStatus(reading.failure.status)) return notApplicable

    const because: [Citation<Facts>, ...Citation<Facts>[]] = [reading.failure.cite, 'routing']
    const alone = hintOf(facts, 'address-per-ingress')
    if (alone !== undefined && claim !== undefined) {
      const seen = valueIn(addresses)
      const known = seen?.publicAddresses.map(({ address }) => address) ?? []
      const site = facts.claims.find(({ solver, kind, host, addresses: own }) => !solver && kind === 'Ingress' && host !== '' && own.length > 0)
      // A load balancer is known by an address or by a name of its own; the site's is the one that the record leads to.
      const named = claim.addresses.every(address => !ipaddr.isValid(address)) && site !== undefined && !site.addresses.some(address => claim.addresses.includes(address)) && !seen?.views.some(({ cname }) => cname.some(name => claim.addresses.includes(name.replace(/\.$/, ''))))
      const apart = claim.addresses.length > 0 && known.length > 0 && (claim.addresses.every(address => ipaddr.isValid(address)) ? !known.some(address => claim.addresses.includes(address)) : named)
      if (claim.addresses.length === 0) return { is: 'found', confidence: 'likely', blanks: { why: `${claim.kind} ${claim.namespace}/${claim.name} has no address yet, and ${alone.value}` }, because }
      if (apart) return { is: 'found', confidence: 'likely', blanks: { why: `the solver got ${claim.addresses.join(', ')}, while the name leads to ${known.join(', ')}: ${alone.value}` }, because }
    }
    const down = hintOf(facts, 'controller-down')
    if (down !== undefined && facts.hints?.filter(({ kind }) => kind === 'controller-down').length === facts.controllers.length) return { is: 'found', confidence: 'likely', blanks: { why: `${down.where} has ${down.value}` }, because }
    const pending = hintOf(facts, 'no-address')
    if (pending !== undefined && isConnectFailure(reading.failure)) return { is: 'found', confidence: 'possible', blanks: { why: `${pending.where} never got an address` }, because }
    const gateway = facts.gateways.find(({ conditions }) => conditions.some(({ type, status }) => type === 'Programmed' && status === 'False'))
    if (gateway !== undefined && claim?.kind === 'HTTPRoute') return { is: 'found', confidence: 'likely', blanks: { why: `Gateway ${gateway.namespace}/${gateway.name} is not Programmed` }, because }
    const entry = hintOf(facts, 'https-entrypoint-only')
    if (entry !== undefined && isForeignAnswer(reading.failure)) return { is: 'found', confidence: 'possible', blanks: { why: `${entry.where} (${entry.value}) keeps the route off port 80` }, because: ['routing', reading.failure.cite] }
    return notApplicable
  }
})
