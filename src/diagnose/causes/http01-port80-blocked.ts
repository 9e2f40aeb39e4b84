import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { hintOf, http01Facts, opensOutside, readHttp01, saidByCa } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

type Facts = 'addresses' | 'routing' | 'caRecord' | 'probeFromOutside' | 'probeFromCluster'

/** The address is right, but nothing lets a connection to port 80 through. */
export default defineCause({
  id: 'http01-port80-blocked',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: [...http01Facts, 'addresses', 'routing', 'caRecord'],
  variants: ['timeout', 'refused'],
  title: 'Port 80 of {address} is closed from the internet ({how})',
  meaning: 'HTTP-01 always begins on port 80, and a connection to {address}:80 ends with "{how}". A firewall, a security group or a missing listener stands before the ingress of {dnsName}.',
  remedy: [
    { do: 'Ask from outside the cluster.', run: 'curl -sv --connect-timeout 10 http://{dnsName}/.well-known/acme-challenge/test' },
    { do: 'See whether the load balancer has port 80 at all.', run: 'kubectl get service -A --field-selector spec.type=LoadBalancer -o wide' },
    'Allow TCP 80 from anywhere (0.0.0.0/0 and ::/0) to {address}: CAs do not publish the addresses they come from.',
    { do: 'Then start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    // After a redirect to HTTPS it is port 443 that is closed.
    ...saidByCa('timeout during connect', { confidence: 'proven', variant: 'timeout', unless: 'fetching https:' }),
    ...saidByCa('dial tcp \\S+:80: (i/o timeout|connect: (connection|operation) timed out)', { confidence: 'proven', variant: 'timeout' }),
    ...saidByCa('connection refused|actively refused|econnrefused', { confidence: 'proven', variant: 'refused', unless: ':443\\b|port=443|fetching https:' }),
    ...saidByCa('((network|host) (is )?unreachable|no route to host)', { confidence: 'likely', variant: 'timeout', unless: 'fetching https:' }),
    // Other CAs say it in words of their own.
    ...saidByCa('(^|: )timeout\\.?$', { confidence: 'likely', variant: 'timeout', unless: 'https:|dns' }),
    ...saidByCa('connect\\w*\\b.{0,40}\\btimed?[ -]?out|timed? ?out\\b.{0,20}\\bconnect(ing)?\\b|etimedout|did not properly respond|operation timed out', { confidence: 'likely', variant: 'timeout', unless: 'timeout (during|after) connect|https:|:443\\b|port=443|dns|lookup|response headers' }),
    ...saidByCa('\\bport 80\\b.{0,60}\\b(not reachable|unreachable|closed|not open|blocked)', { confidence: 'likely' }),
    ...saidByCa('not reachable|(unable|failed|not able) to (connect|reach)|(could|can) ?not (be )?(connect|reach)|connection failed|connection to \\S+ failed', { confidence: 'possible', unless: 'fetching https:|:443\\b|dns|resolve|lookup' }),
    // The standard's type for "could not connect to the validation target", in whatever words.
    { in: everywhere, match: '.', when: { problem: ['connection'], wrapper: ['authorization', 'ca'], secondary: false, caa: false }, unless: 'fetching https:|:443\\b|port=443|redirect|tls|ssl|reset|closed|hang|abort|empty|getting validation data|after connect|during (read|write)|body|malformed|too large|status|dns|resol|lookup|host is known|http ?/?\\d|request failed', confidence: 'possible' }
  ],
  related: ['http01-dns-points-elsewhere', 'http01-dns-ipv6-broken', 'http01-hairpin-blocked', 'http01-load-balancer-not-synced'],

  examine ({ hits, addresses, routing, caRecord, ...rest }) {
    const reading = readHttp01(rest)
    const seen = valueIn(addresses)
    const closed = hintOf(valueIn(routing), 'no-port-80')
    const [best, ...more] = hits
    const used = best?.text.problem?.ip ?? valueIn(caRecord)?.hops.at(-1)?.addressUsed ?? reading.failure?.address ?? seen?.publicAddresses[0]?.address
    const address = used ?? 'its address'
    const entry = seen?.publicAddresses.find(item => item.address === used)

    if (best !== undefined) {
      // IPv6 is tried first; with an IPv4 address beside it the trouble is the AAAA record.
      if (used?.includes(':') === true && seen?.publicAddresses.some(({ family }) => family === 4) === true) return { is: 'ruled-out', by: [best], because: `The CA failed on the IPv6 address ${used} only.` }
      // step-ca says it of a name that it cannot resolve, too.
      if (best.rule.confidence === 'possible' && (seen?.publicState === 'nxdomain' || seen?.publicState === 'nodata')) return { is: 'ruled-out', by: ['addresses'], because: 'There is no address to connect to.' }
      const ours = entry?.ownedBy !== undefined
      const certain = (ours && !reading.servedOutside) || closed !== undefined
      const confidence = best.rule.confidence === 'proven' && !certain ? 'likely' : best.rule.confidence
      const variant = best.rule.variant ?? 'timeout'
      return { is: 'found', confidence, variant, blanks: { address, how: variant }, because: [best, ...more.slice(0, 2), ...seen === undefined ? [] : ['addresses' as const]] }
    }

    if (reading.ca !== undefined && reading.ca.kind !== 'other') return notApplicable
    if (reading.servedOutside || opensOutside(reading)) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const { failure } = reading
    if (failure === undefined || !['timeout', 'refused', 'unreachable'].includes(failure.kind)) return notApplicable
    const variant = failure.kind === 'refused' ? 'refused' : 'timeout'
    // The self-check met the same.
    const twice = failure.by === 'outside' && reading.selfCheck !== undefined && reading.selfCheck.kind === failure.kind ? [reading.selfCheck.cite] : []
    const because: [Citation<Facts>, ...Citation<Facts>[]] = [failure.cite, ...twice, ...closed === undefined ? [] : ['routing' as const]]
    if (failure.by === 'outside') return { is: 'found', confidence: seen === undefined || seen.publicAddresses.some(({ ownedBy }) => ownedBy !== undefined) ? 'likely' : 'possible', variant, blanks: { address: failure.address ?? address, how: variant }, because }
    // From inside alone a closed port and a missing way back look the same.
    return { is: 'found', confidence: closed === undefined ? 'possible' : 'likely', variant, blanks: { address: failure.address ?? address, how: variant }, because }
  }
})
