import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { http01Facts, readHttp01, selfCheckSays } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'networkPolicy' | 'controller' | 'probeFromOutside' | 'probeFromCluster'

/** cert-manager itself may not go out to the name: a policy, an egress gateway or a proxy stops its own check. */
export default defineCause({
  id: 'http01-self-check-egress-blocked',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: [...http01Facts, 'networkPolicy', 'controller'],
  title: 'cert-manager cannot reach {dnsName} for its own check: {what}',
  meaning: 'The check that cert-manager makes before it asks the CA does not get out of the cluster ({what}). It fails for every name, whatever the world sees.',
  remedy: [
    { do: 'See policies and proxy settings of cert-manager.', run: 'kubectl -n {certManagerNamespace} get networkpolicy -o yaml; kubectl -n {certManagerNamespace} get deployment cert-manager -o yaml | grep -i -A1 _proxy' },
    'Allow TCP 80 and 443 (and 53) out of namespace {certManagerNamespace} to the address of the ingress.',
    'With HTTP_PROXY: add the domains to NO_PROXY, or let the proxy reach them.'
  ],
  texts: [
    ...selfCheckSays('proxyconnect tcp|socks connect tcp|proxy authentication required', { confidence: 'proven' }),
    ...selfCheckSays("wrong status code '407'", { confidence: 'proven' }),
    // Azure Firewall's own status for what no rule allows to go out.
    ...selfCheckSays("wrong status code '470'", { confidence: 'likely' }),
    ...selfCheckSays('operation not permitted|connect: permission denied', { confidence: 'likely' })
  ],
  related: ['http01-hairpin-blocked', 'http01-network-policy-blocks'],

  examine ({ hits, networkPolicy, controller, ...rest }) {
    const reading = readHttp01(rest)
    if (reading.asked) return notApplicable
    const [best] = hits
    const env = Object.entries(valueIn(controller)?.env ?? {}).find(([name, value]) => /^https?_proxy$/i.test(name) && value !== '')
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { what: env === undefined ? 'a proxy refuses' : `${env[0]} is set` }, because: env === undefined ? [best] : [best, 'controller'] }
    const egress = valueIn(networkPolicy)?.controllerEgress
    const { selfCheck } = reading
    const stopped = selfCheck !== undefined && ['timeout', 'unreachable', 'refused'].includes(selfCheck.kind)
    if (stopped && egress?.verdict === 'blocked' && egress.ports.includes(80)) {
      const because: [Citation<Facts>, ...Citation<Facts>[]] = [selfCheck.cite, 'networkPolicy', ...reading.servedOutside ? ['probeFromOutside' as const] : []]
      return { is: 'found', confidence: 'likely', blanks: { what: `NetworkPolicy ${egress.policies.join(', ')} does not allow port 80` }, because }
    }
    if (selfCheck === undefined) return notApplicable
    // The page of a proxy for users, which only the way out of the cluster leads through.
    if (reading.inside?.bodyKind === 'forward-proxy' && reading.outside?.bodyKind !== 'forward-proxy') return { is: 'found', confidence: 'likely', blanks: { what: 'a proxy on the way out answers in its place' }, because: [selfCheck.cite, 'probeFromCluster', ...reading.servedOutside ? ['probeFromOutside' as const] : []] }
    // A proxy in the way answers in its own words; what it says to a 403 or 503 cannot be told from the site.
    if (env !== undefined && !exempt(valueIn(controller)?.env ?? {}, rest.identifier.name) && (stopped || selfCheck.status === 403 || selfCheck.status === 502 || selfCheck.status === 503)) return { is: 'found', confidence: reading.servedOutside ? 'likely' : 'possible', blanks: { what: `${env[0]} is set, and NO_PROXY does not cover the name` }, because: [selfCheck.cite, 'controller'] }
    if (egress?.verdict === 'open' || egress?.verdict === 'allowed') return { is: 'ruled-out', by: ['networkPolicy'] }
    return notApplicable
  }
})

function exempt (env: Record<string, string>, name: string): boolean {
  const list = Object.entries(env).find(([key]) => /^no_proxy$/i.test(key))?.[1] ?? ''
  return list.split(',').map(item => item.trim().replace(/^\*?\./, '')).some(item => item !== '' && (name === item || name.endsWith(`.${item}`)))
}
