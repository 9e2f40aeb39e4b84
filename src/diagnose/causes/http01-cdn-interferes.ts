import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { cdnOfAddress } from '../cdn-addresses.ts'
import { gotStatus, http01Facts, readHttp01, saidByCa, selfCheckSays } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'addresses' | 'probeFromOutside' | 'probeFromCluster'

/** How Cloudflare's own error pages begin, which is all that a CA quotes of them. Other sites use the frame as well: it tells only at a CDN's address. */
const errorPage = /no-js ie6 oldie/i

/** A content network or web firewall in front answers by itself instead of passing the request on. */
export default defineCause({
  id: 'http01-cdn-interferes',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: [...http01Facts, 'addresses'],
  title: '{cdn} in front of {dnsName} answers the challenge itself ({how})',
  meaning: 'The name leads to {cdn}, and its own rules answer the request for the token ({how}) before it reaches the cluster.',
  remedy: [
    { do: 'See who answers.', run: 'curl -sv http://{dnsName}/.well-known/acme-challenge/test' },
    'Add a rule there for /.well-known/acme-challenge/*: no challenge page, no cache, no forced HTTPS, pass to the origin over plain HTTP.',
    'Status 52x means that the CDN cannot reach the origin: open the origin, or correct the TLS mode ("flexible" makes loops).',
    'Or switch to DNS-01, which no proxy can disturb.'
  ],
  texts: [
    ...saidByCa(gotStatus('52\\d|530'), { confidence: 'proven' }),
    ...saidByCa('invalid response from .*(just a moment|attention required|cf-browser-verification|cdn-cgi/challenge|aes\\.js|incapsula|imunify360|sucuri|akamai|ddos-guard|acme-protocol)', { confidence: 'proven' }),
    ...selfCheckSays("wrong status code '5(2\\d|30)'", { confidence: 'likely' }),
    ...selfCheckSays('but got: .*(just a moment|attention required|cf-browser|incapsula|aes\\.js)', { confidence: 'likely' })
  ],
  related: ['http01-auth-on-path', 'http01-redirected-to-https', 'http01-other-backend-answers'],

  examine ({ hits, addresses, ...rest }) {
    const reading = readHttp01(rest)
    const [best] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    const probe = [reading.outside, reading.inside].find(item => item?.cdn !== undefined)
    // Its ranges are public: the address alone tells who stands in front, though not that he meddles.
    const known = valueIn(addresses)?.publicAddresses.map(({ address }) => cdnOfAddress(address)).find(name => name !== undefined) ?? cdnOfAddress(reading.failure?.address)
    const cited: Citation<Facts>[] = probe !== undefined ? [probe === reading.outside ? 'probeFromOutside' : 'probeFromCluster'] : known !== undefined && addresses.is === 'seen' ? ['addresses'] : []
    const cdn = probe?.cdn ?? known ?? 'A proxy or CDN'
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { cdn, how: reading.failure?.status === undefined ? 'a page of its own' : `status ${reading.failure.status}` }, because: [best, ...cited] }
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const page = [reading.outside, reading.inside].find(item => item !== undefined && ['cdn-challenge', 'cdn-error', 'waf-block'].includes(item.bodyKind ?? ''))
    if (page !== undefined) return { is: 'found', confidence: 'likely', blanks: { cdn: page.cdn ?? cdn, how: `a ${page.bodyKind!.replaceAll('-', ' ')} page` }, because: [page === reading.outside ? 'probeFromOutside' : 'probeFromCluster'] }
    if ((probe === undefined && known === undefined) || reading.failure === undefined) return notApplicable
    const { failure } = reading
    const how = failure.status === undefined ? failure.words.slice(0, 120) : `status ${failure.status}`
    const [first, ...more] = [...cited, ...failure.cite === cited[0] ? [] : [failure.cite]]
    if (failure.status === 403 || failure.status === 429 || failure.status === 503 || errorPage.test(failure.words) || (failure.kind === 'redirect') || (failure.kind === 'tls' && probe?.redirectedToHttps !== false)) return { is: 'found', confidence: 'likely', blanks: { cdn, how }, because: [first!, ...more] }
    // A plain 404 may as well be the origin's, handed through.
    return { is: 'found', confidence: 'possible', blanks: { cdn, how }, because: [first!, ...more] }
  }
})
