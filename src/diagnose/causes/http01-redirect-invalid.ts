import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { gotStatus, http01Facts, isConnectFailure, isForeignAnswer, isSameSite, readHttp01, saidByCa, selfCheckSays, settingOf, strayedTo } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'routing' | 'probeFromOutside' | 'probeFromCluster'

/** The path is redirected to a place where no CA goes, or where nobody has the token. */
export default defineCause({
  id: 'http01-redirect-invalid',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: 'The challenge path of {dnsName} is redirected to where it cannot be served ({where})',
  meaning: 'A CA follows redirects only by HTTP and HTTPS, on ports 80 and 443, to public names, and not in circles. Here the redirect fails: {where}.',
  remedy: [
    { do: 'Follow the redirects by hand.', run: 'curl -sSLkv --max-redirs 12 http://{dnsName}/.well-known/acme-challenge/test' },
    'Exempt /.well-known/acme-challenge/ from the redirect, or correct its target (port, host, missing slash).'
  ],
  texts: [
    ...saidByCa('too many redirects|redirect loop|(stopped after|exceeded) \\d+ redirects|steered to port', { confidence: 'proven' }),
    ...saidByCa('redirect target', { confidence: 'proven' }),
    ...saidByCa('disallowed redirect status', { confidence: 'proven' }),
    ...saidByCa('\\bredirect(s|ed|ion)?\\b.{0,60}\\b(not (allowed|permitted|supported|followed)|forbidden)', { confidence: 'likely', unless: 'redirect target' }),
    ...saidByCa('invalid (hostname|host|port) in redirect|only domain names are supported, not ip addresses', { confidence: 'proven', unless: 'redirect target' }),
    ...saidByCa(gotStatus('3\\d\\d'), { confidence: 'likely' }),
    ...selfCheckSays('stopped after \\d+ redirects', { confidence: 'proven' }),
    ...selfCheckSays("wrong status code '3\\d\\d'", { confidence: 'likely' }),
    ...selfCheckSays('response missing location header|failed to parse location header|unsupported protocol scheme', { confidence: 'likely' })
  ],
  related: ['http01-redirected-to-https', 'http01-cdn-interferes'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    const setting = settingOf(valueIn(routing), 'redirect')
    const own: Citation<Facts>[] = setting === undefined ? [] : ['routing']
    const [best] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    const probe = [reading.outside, reading.inside].find(item => item?.outcome === 'redirect-invalid')
    const hops = (probe ?? reading.outside ?? reading.inside)?.perAddress.flatMap(item => item.hops) ?? []
    const location = hops.map(hop => hop.location).find(item => item !== undefined)
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { where: best.text.problem?.detail.slice(0, 160) ?? best.text.core.slice(-160) }, because: [best, ...own] }
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    // It is the host of the redirect that cannot be found or reached.
    const lost = reading.ca ?? reading.selfCheck
    const stray = lost === undefined ? undefined : strayedTo(lost.words, rest.identifier.name)
    if (lost !== undefined && stray !== undefined && (lost.kind === 'dns' || isConnectFailure(lost))) return { is: 'found', confidence: 'likely', blanks: { where: `${stray} ${lost.kind === 'dns' ? 'does not resolve' : 'does not answer'}` }, because: [lost.cite, ...own] }
    // The CA went to another site, which knows nothing of the token.
    if (reading.ca !== undefined && stray !== undefined && isForeignAnswer(reading.ca) && !isSameSite(stray, rest.identifier.name)) return { is: 'found', confidence: 'likely', blanks: { where: `${stray} gives ${reading.ca.status ?? 'a page of its own'}` }, because: [reading.ca.cite, ...own] }
    if (reading.ca !== undefined && reading.ca.kind !== 'other' && reading.ca.kind !== 'status') return notApplicable
    if (probe !== undefined) return { is: 'found', confidence: 'likely', blanks: { where: location ?? 'see the probe' }, because: [probe === reading.outside ? 'probeFromOutside' : 'probeFromCluster', ...own] }

    // Sent to another site altogether, which has no token: the last hop is on another host.
    const last = hops.at(-1)
    const strayed = last !== undefined && location !== undefined && URL.canParse(last.url) && new URL(last.url).hostname.toLowerCase() !== rest.identifier.name.toLowerCase()
    if (strayed && reading.live && reading.failure !== undefined && reading.failure.kind !== 'other') return { is: 'found', confidence: 'likely', blanks: { where: location }, because: [reading.failure.cite, ...own] }
    return notApplicable
  }
})
