import { defineCause, notApplicable } from '../cause.ts'
import { acceptedByCa, isAboutAcmeServer, valueIn } from '../reading.ts'
import { everywhere, forwardProxyPage } from '../sources.ts'

const places: Record<string, string> = {
  dns: 'its name is not resolved', timeout: 'no answer in time', refused: 'the connection is refused', proxy: 'a proxy in between answers',
  'tls-handshake': 'the TLS handshake does not end'
}

/** cert-manager cannot talk to the ACME server at all; the CA never heard of the order. */
export default defineCause({
  id: 'acme-server-unreachable',
  since: '0.1.0',
  stage: 'account',
  needs: [],
  wants: ['issuer', 'directory', 'order'],
  variants: Object.keys(places),
  title: 'cert-manager cannot reach {acmeHost}: {how}',
  meaning: 'The connection from cert-manager to the ACME server fails, so no order can be made or finished. Every certificate of this issuer is affected.',
  remedy: [
    { do: 'See the connection error at the issuer.', run: 'kubectl -n {namespace} describe {issuerKind} {issuer}' },
    { do: 'See which policies and proxies apply to cert-manager.', run: 'kubectl -n {certManagerNamespace} get networkpolicy,deployment -o yaml' },
    'Let cert-manager out to {acmeServer}: egress NetworkPolicy or firewall (443 and DNS), HTTPS_PROXY and NO_PROXY of its Deployment, cluster DNS.',
    'Check that spec.acme.server of the issuer is the right address.'
  ],
  texts: [
    { in: everywhere, match: 'lookup \\S+.{0,120}(no such host|server misbehaving|i/o timeout|temporary failure|no answer)|dial tcp: (lookup|i/o timeout)', unless: 'proxyconnect', confidence: 'proven', variant: 'dns' },
    { in: everywhere, match: 'proxyconnect|proxy authentication required|\\b407 : |jws header parameter .url. incorrect|malformed http response', confidence: 'proven', variant: 'proxy' },
    { in: everywhere, match: '"https?://[^"]+": (forbidden|bad gateway|service unavailable|gateway timeout)|server gave http response to https client', confidence: 'likely', variant: 'proxy' },
    { in: everywhere, match: 'acme: nonce not found', confidence: 'possible', variant: 'proxy' },
    { in: everywhere, match: '\\b403 : \\s*<(html|!doctype)', confidence: 'likely', variant: 'proxy' },
    { in: everywhere, match: `\\b[45]\\d\\d : .*(${forwardProxyPage})`, confidence: 'likely', variant: 'proxy' },
    { in: everywhere, match: 'tls handshake timeout|remote error: tls: |tls: first record does not look like', unless: 'unexpected non-acme', confidence: 'proven', variant: 'tls-handshake' },
    { in: everywhere, match: 'connection refused', unless: 'lookup |proxyconnect', confidence: 'proven', variant: 'refused' },
    { in: everywhere, match: 'dial tcp \\S+:\\d+: (connect: )?(i/o timeout|connection timed out|no route to host|(network|host) is (unreachable|down))|dial tcp \\S+: operation was canceled', unless: 'proxyconnect', confidence: 'proven', variant: 'timeout' },
    // A filter of the node itself, such as a CNI's policy, refuses before anything is sent.
    { in: everywhere, match: 'dial tcp \\S+: (connect: )?(operation not permitted|permission denied)', confidence: 'proven', variant: 'refused' },
    { in: everywhere, match: 'context deadline exceeded|client\\.timeout exceeded|timeout awaiting response headers', unless: 'unexpected non-acme', confidence: 'proven', variant: 'timeout' },
    { in: everywhere, match: '(get|post|head) "https?://[^"]+": ((unexpected )?eof|(read|write) tcp .*|.*connection reset by peer|http2: .*)', confidence: 'likely', variant: 'tls-handshake' },
    { in: everywhere, match: '(unexpected|transient) non-acme api error.{0,200}(context deadline exceeded|timeout|connection refused|no such host|eof|reset by peer)', confidence: 'possible', variant: 'timeout' }
  ],
  related: ['acme-server-untrusted', 'acme-ca-unavailable'],

  examine ({ hits, issuer, directory, order }) {
    const about = valueIn(issuer)
    // A problem document is an answer: what it quotes happened behind the CA. A proxy may have spoilt the question.
    const answered = ({ text, rule }: typeof hits[number]): boolean => (text.problem?.type ?? '') !== '' && rule.variant !== 'proxy'
    const mine = hits.filter(hit => !answered(hit) && (hit.rule.confidence === 'possible' || isAboutAcmeServer(hit.text, about)))
    const [best] = mine
    if (best !== undefined) {
      const variant = best.rule.variant ?? 'timeout'
      return { is: 'found', confidence: best.rule.confidence, variant, blanks: { how: places[variant] ?? variant }, because: [best, ...mine.slice(1, 4)] }
    }
    if (acceptedByCa(valueIn(order))) return { is: 'ruled-out', by: ['order'], because: 'The CA accepted the order, so it was reached.' }
    const seen = valueIn(directory)
    const variant = variants[seen?.failure?.code ?? '']
    if (seen === undefined || seen.reachable || variant === undefined) return seen?.reachable === true ? { is: 'ruled-out', by: ['directory'], because: 'The directory answers from here.' } : notApplicable
    // Our own look, not cert-manager's: it needs a sign that cert-manager is stuck at the same place.
    const stuck = about?.ready?.status === 'False' || valueIn(order)?.state === ''
    return { is: 'found', confidence: stuck ? 'likely' : 'possible', variant, blanks: { how: places[variant]! }, because: ['directory'] }
  }
})

const variants: Record<string, string> = { dns: 'dns', timeout: 'timeout', unreachable: 'timeout', refused: 'refused', reset: 'tls-handshake', closed: 'tls-handshake' }
