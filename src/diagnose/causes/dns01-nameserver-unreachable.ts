import { defineCause } from '../cause.ts'
import { notOfTxt, ofTxt, withTheCa } from '../sources.ts'

/** Port 53 of the servers that must be asked is closed from the cluster, or they do not answer the CA. */
export default defineCause({
  id: 'dns01-nameserver-unreachable',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: ['networkPolicy', 'delegation'],
  title: 'The name servers of {dnsName} cannot be reached on port 53',
  meaning: 'The check asks the name servers itself (UDP, then TCP, port 53) and gets no answer: {text}',
  remedy: [
    { do: 'Try from a Pod what the check does.', run: 'kubectl run -it --rm dig --image=busybox --restart=Never -- nslookup -type=txt _acme-challenge.{dnsName}' },
    'Allow UDP and TCP 53 out of cert-manager\'s namespace, or let it ask one resolver only: --dns01-recursive-nameservers with --dns01-recursive-nameservers-only (DNS over HTTPS works too).'
  ],
  related: ['dns01-not-propagated', 'dns01-nameserver-failing'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:dial|read|write) (?:tcp|udp)[^"]{0,120}:53: (?:\\w+: )?(?:i/o timeout|connection refused|connection timed out|no route to host|(?:network|host) is unreachable|operation not permitted|permission denied|cannot assign requested address)|read udp \\S+: (?:read: )?(?:i/o timeout|connection refused)|(?:dial|read) (?:tcp|udp) \\S+:53[^"]{0,60}(?:i/o timeout|connection refused)', unless: 'dial tcp: lookup|(?:Get|Post) "https?://|failed to perform self check GET|DNS update failed', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'dial (?:udp|tcp): lookup \\S+ on \\S+: (?:no such host|server misbehaving)|dial udp: lookup', unless: '(?:Get|Post|Put) "https?://|failed to perform self check', confidence: 'proven', when: { notWrapper: ['present', 'cleanup'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'DNS update failed: .{0,160}(?:i/o timeout|connection refused|no route to host|no such host|unreachable)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'dns: server returned HTTP \\d+ error|dns: unexpected Content-Type', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: ofTxt('time[sd]? ?out|no (?:response|reply|answer)s? (?:was |were )?(?:received )?from|unreachable|(?:not|n\'t|unable to|failed to) (?:reach|contact|connect)|connection refused|(?:did|do|does)(?: not|n\'t) (?:respond|reply|answer)'), unless: notOfTxt, confidence: 'likely', when: { wrapper: withTheCa } },
    // DNS over HTTPS.
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:Get|Post) "https://[^"]+/(?:dns-query|resolve)[^"]*": (?:dial tcp|net/http|context deadline|read tcp|EOF|tls: |x509: |proxyconnect|remote error)', confidence: 'likely' },
    // The server takes the connection and hangs up: what a firewall on port 53 does to TCP.
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:^|propagation: |check failed: )(?:EOF|(?:read|dial|write) (?:tcp|udp) \\S+:53: (?:read: )?connection reset by peer)$', confidence: 'likely', when: { wrapper: ['self-check'] } },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'looking up TXT for \\S+: (?:No Reachable Authority|Network Error between)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'query timed out.{0,40}looking up TXT', confidence: 'likely' }
  ],

  examine ({ hits, networkPolicy }) {
    const [best] = hits
    if (best === undefined) return { is: 'not-applicable' }
    const blocked = networkPolicy.is === 'seen' && networkPolicy.value.controllerEgress.verdict === 'blocked' && networkPolicy.value.controllerEgress.ports.includes(53)
    return { is: 'found', confidence: best.rule.confidence, blanks: {}, because: blocked ? [best, 'networkPolicy'] : [best] }
  }
})
