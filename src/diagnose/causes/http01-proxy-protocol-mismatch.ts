import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { headerUnasked, hintOf, http01Facts, readHttp01, selfCheckSays } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'routing' | 'probeFromOutside' | 'probeFromCluster'

/** The ingress expects a PROXY header that only the load balancer writes, and traffic from inside does not pass it; or the load balancer writes one that the ingress takes for a bad request. */
export default defineCause({
  id: 'http01-proxy-protocol-mismatch',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: 'PROXY protocol on one side only spoils the request for {dnsName} ({how})',
  meaning: 'Only one side speaks the PROXY protocol ({where}). {effect}.',
  remedy: [
    { do: 'See where PROXY protocol is on.', run: 'kubectl get service,configmap -A -o yaml | grep -i -B2 "proxy-*protocol"' },
    'Where the load balancer writes the header and the ingress answers 400, let the ingress expect it: use-proxy-protocol of ingress-nginx, proxyProtocol.trustedIPs of Traefik\'s entrypoint.',
    'Make traffic from inside pass the load balancer: set its hostname annotation (DigitalOcean do-loadbalancer-hostname, Hetzner load-balancer.hetzner.cloud/hostname, Scaleway, OVH …) so that kube-proxy does not short-circuit its address.',
    'Or switch PROXY protocol off on both sides, or use Kubernetes 1.30+ with ipMode: Proxy.',
    'cert-manager 1.21 can wait instead of checking: waitInsteadOfSelfCheck in the solver.'
  ],
  texts: [
    ...selfCheckSays('": eof$|: eof\\b', { confidence: 'possible', unless: 'get "https:' }),
    ...selfCheckSays('connection reset by peer|broken pipe|unexpected eof|server closed idle connection|malformed http response', { confidence: 'possible' }),
    { in: ['log'], match: 'broken header: ".{0,200}" while reading proxy protocol', confidence: 'likely' },
    { in: ['log'], match: 'proxy protocol.{0,60}(invalid|missing|no) (header|signature)', confidence: 'likely' }
  ],
  related: ['http01-hairpin-blocked', 'http01-connection-filtered', 'http01-mesh-blocks'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    const unasked = headerUnasked(reading, valueIn(routing))
    if (unasked !== undefined) {
      const effect = 'The load balancer writes a header before each request, and the ingress, which does not expect it, answers as to a bad request'
      return { is: 'found', confidence: 'likely', blanks: { where: `${unasked.where}: ${unasked.value}`, how: 'status 400', effect }, because: [reading.failure!.cite, 'routing'] }
    }
    if (reading.asked) return notApplicable
    if (reading.servedInside) return { is: 'ruled-out', by: ['probeFromCluster'] }
    const hint = hintOf(valueIn(routing), 'proxy-protocol')
    const effect = 'Requests from inside the cluster go to the ingress directly, without the header that only the load balancer writes, and are cut off'
    const where = hint === undefined ? 'its setting could not be seen' : `${hint.where}: ${hint.value}`
    const logged = hits.find(({ text }) => text.evidence.source === 'log' && text.wrapper !== 'self-check')
    const said = hits.find(({ text }) => text.wrapper === 'self-check')
    const page = [reading.outside, reading.inside].find(probe => probe?.bodyKind === 'proxy-protocol-error')
    const cut = said !== undefined || reading.inside?.outcome === 'reset' || reading.inside?.outcome === 'closed'
    const how = said === undefined ? reading.inside?.outcome ?? 'broken header' : /reset/i.test(said.text.core) ? 'connection reset' : 'EOF'
    const because = [...said === undefined ? cut ? ['probeFromCluster' as const] : [] : [said], ...hint === undefined ? [] : ['routing' as const], ...logged === undefined ? [] : [logged]] as [Citation<Facts>, ...Citation<Facts>[]]
    if (logged !== undefined && cut) return { is: 'found', confidence: hint === undefined ? 'likely' : 'proven', blanks: { where, how, effect }, because }
    if (page !== undefined) return { is: 'found', confidence: 'likely', blanks: { where, how: 'broken header', effect }, because: [page === reading.outside ? 'probeFromOutside' : 'probeFromCluster', ...hint === undefined ? [] : ['routing' as const]] }
    if (!cut) return notApplicable
    if (hint !== undefined) return { is: 'found', confidence: 'likely', blanks: { where, how, effect }, because }
    // Without the setting in sight it is one of several readings; cut from outside as well it is another one.
    if (reading.outside !== undefined && !reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'], because: 'It fails from outside as well.' }
    return said === undefined ? notApplicable : { is: 'found', confidence: 'possible', blanks: { where, how, effect }, because }
  }
})
