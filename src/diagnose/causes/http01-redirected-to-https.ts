import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { gotStatus, hintOf, http01Facts, isForeignAnswer, isSameSite, readHttp01, saidByCa, selfCheckSays, settingOf, strayedTo } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

type Facts = 'routing' | 'probeFromOutside' | 'probeFromCluster'

/** The path is only served over HTTPS, where there is no certificate yet, or another site. */
export default defineCause({
  id: 'http01-redirected-to-https',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: 'The challenge path of {dnsName} is forced to HTTPS, and that fails ({how})',
  meaning: 'Something sends plain HTTP requests for {dnsName} to HTTPS ({where}). The CA follows, but the TLS side does not serve the token: {how}.',
  remedy: [
    { do: 'Follow the redirect by hand.', run: 'curl -sSLkv http://{dnsName}/.well-known/acme-challenge/test' },
    'Exempt /.well-known/acme-challenge/ from the redirect, or switch the redirect off until the certificate exists.',
    { do: 'Or give the TLS side a temporary certificate.', run: 'kubectl -n {namespace} annotate ingress INGRESS cert-manager.io/issue-temporary-certificate=true', changes: true }
  ],
  texts: [
    ...saidByCa('server only speaks http, not tls', { confidence: 'proven' }),
    ...saidByCa("doesn't support tlsv1\\.2|remote error: tls: (protocol version|handshake failure|unrecognized name|internal error)", { confidence: 'proven' }),
    ...saidByCa('(fetching|get)[ "]+https:\\S+: (error getting validation data|connection refused|timeout|connection reset|tls: )', { confidence: 'likely' }),
    ...saidByCa('remote error: tls:', { confidence: 'likely', unless: 'certificate required|bad certificate|protocol version|handshake failure|unrecognized name|internal error' }),
    // HTTP-01 begins without TLS, so an error of that type comes behind a redirect.
    { in: everywhere, match: '.', when: { problem: ['tls'], wrapper: ['authorization', 'ca'], secondary: false, caa: false }, unless: 'certificate required|bad certificate|alpn|server only speaks|remote error: tls|tlsv1\\.2', confidence: 'likely' },
    // Python, .NET and Java; a plain request meets TLS only after a redirect.
    ...saidByCa('ssl connection could not be established|sslhandshakeexception|sslerror\\(|port=443\\).*(refused|timed? ?out)', { confidence: 'likely' }),
    // HTTP-01 begins without TLS: a wrong answer from an https URL is that of the TLS side.
    ...saidByCa('invalid response from https://\\S+( \\[[^\\]]*\\])?: (404|")', { confidence: 'likely' }),
    // 426 Upgrade Required: Kong's answer to plain HTTP where only https is a protocol of the route.
    ...saidByCa(gotStatus('426'), { confidence: 'likely' }),
    ...selfCheckSays("wrong status code '426'", { confidence: 'likely' }),
    ...selfCheckSays('remote error: tls:', { confidence: 'likely', unless: 'certificate required|bad certificate' }),
    ...selfCheckSays('server gave http response to https client|first record does not look like a tls handshake', { confidence: 'likely' }),
    ...selfCheckSays('get "https:\\S+": ', { confidence: 'possible', unless: 'remote error: tls|http response to https|tls handshake' })
  ],
  related: ['http01-redirect-invalid', 'http01-cdn-interferes', 'http01-other-backend-answers'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    const facts = valueIn(routing)
    const setting = settingOf(facts, 'redirect')
    const hint = hintOf(facts, 'force-https') ?? hintOf(facts, 'https-entrypoint-only')
    const redirecting = [reading.outside, reading.inside].find(probe => probe?.redirectedToHttps === true && probe.outcome !== 'token-served')
    const where = setting === undefined ? hint === undefined ? redirecting === undefined ? 'a redirect' : `the server at ${redirecting.address} answers so` : `${hint.where}: ${hint.value}` : `${setting.claim.kind} ${setting.claim.namespace}/${setting.claim.name}: ${setting.field}=${setting.value}`
    const settings: Citation<Facts>[] = setting === undefined && hint === undefined ? [] : ['routing']

    // A wrong answer of another site is the redirect's fault, not that of HTTPS.
    const stray = reading.ca !== undefined && isForeignAnswer(reading.ca) ? strayedTo(reading.ca.words, rest.identifier.name) : undefined
    if (stray !== undefined && !isSameSite(stray, rest.identifier.name)) return notApplicable
    const [best] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    if (best !== undefined) {
      const status = isForeignAnswer(reading.failure) ? reading.failure?.status ?? 'another page' : undefined
      const how = status === undefined ? 'the TLS handshake fails' : status === 426 ? 'plain HTTP gives 426' : `the HTTPS side gives ${status}`
      return { is: 'found', confidence: best.rule.confidence === 'possible' && (redirecting !== undefined || setting !== undefined || hint?.kind === 'force-https') ? 'likely' : best.rule.confidence, blanks: { how, where }, because: [best, ...settings] }
    }
    if (reading.servedOutside && reading.outside?.redirectedToHttps === true) return { is: 'ruled-out', by: ['probeFromOutside'], because: 'The redirect to HTTPS leads to the right answer.' }
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    if (reading.ca !== undefined && !['tls', 'redirect', 'status', 'wrong-body', 'other', 'closed'].includes(reading.ca.kind)) return notApplicable

    const cited: Citation<Facts>[] = reading.failure === undefined ? [] : [reading.failure.cite]
    if (redirecting !== undefined) {
      const probe = redirecting === reading.outside ? 'probeFromOutside' as const : 'probeFromCluster' as const
      const how = redirecting.outcome === 'tls-failed' ? 'the TLS handshake fails' : `the HTTPS side gives ${redirecting.status ?? redirecting.outcome.replaceAll('-', ' ')}`
      // Once the challenge is over, a 404 behind the redirect is only natural.
      const telling = reading.live || redirecting.outcome === 'tls-failed' || redirecting.outcome === 'refused' || redirecting.outcome === 'timeout'
      return { is: 'found', confidence: telling ? 'likely' : 'possible', blanks: { how, where }, because: [probe, ...cited.filter(item => item !== probe), ...settings] }
    }
    if (hint !== undefined && (isForeignAnswer(reading.failure) || reading.failure?.kind === 'redirect')) {
      const [first, ...others] = hint.kind === 'force-https' ? [...cited, 'routing' as const] : ['routing' as const]
      return { is: 'found', confidence: 'likely', blanks: { how: `plain HTTP gives ${reading.failure?.status ?? 'another answer'}`, where }, because: [first!, ...others] }
    }
    if (setting !== undefined && reading.failure?.kind === 'redirect') return { is: 'found', confidence: 'likely', blanks: { how: `the redirect gives ${reading.failure.status ?? 'no answer'}`, where }, because: [reading.failure.cite, 'routing'] }
    if (setting !== undefined && isForeignAnswer(reading.failure) && !reading.asked) return { is: 'found', confidence: 'possible', blanks: { how: `the answer is ${reading.failure?.status ?? 'not the token'}`, where }, because: ['routing'] }
    return notApplicable
  }
})
