import type { ProbeFacts } from '../../shared/types/case.ts'
import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { cdnOfAddress } from '../cdn-addresses.ts'
import { claimName, gotStatus, http01Facts, readHttp01, saidByCa, selfCheckSays, settingOf } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'routing' | 'probeFromOutside' | 'probeFromCluster'

/** The path is behind a login, a client certificate or an allow-list; the CA has none of them. */
export default defineCause({
  id: 'http01-auth-on-path',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: [...http01Facts, 'addresses', 'routing'],
  title: 'The challenge path of {dnsName} demands {what}',
  meaning: 'The request for the token is turned away ({how}) before it reaches the solver. {where}.',
  remedy: [
    { do: 'See what the path answers.', run: 'curl -sv http://{dnsName}/.well-known/acme-challenge/test' },
    { do: 'See the annotations of the Ingresses that claim the host.', run: 'kubectl get ingress -A -o yaml | grep -E "host:|auth|whitelist|allowlist|middlewares|plugins"' },
    'Exempt /.well-known/acme-challenge/ from the login, the client certificate or the allow-list; with edit-in-place, give the solver an Ingress of its own instead.'
  ],
  texts: [
    ...saidByCa(gotStatus('401|unauthorized'), { confidence: 'proven' }),
    ...saidByCa(gotStatus('403|forbidden'), { confidence: 'likely' }),
    ...saidByCa('remote error: tls: (certificate required|bad certificate)', { confidence: 'likely' }),
    ...saidByCa('invalid response from .*(sign in|log ?in|single sign-on|keycloak|oauth2)', { confidence: 'possible' }),
    ...selfCheckSays("wrong status code '40[13]'", { confidence: 'likely' }),
    // nginx's answer when a client certificate is wanted and none comes; means it only where one is demanded.
    ...saidByCa(gotStatus('400|496'), { confidence: 'possible' }),
    ...selfCheckSays("wrong status code '(400|496)'", { confidence: 'possible' }),
    ...selfCheckSays('remote error: tls: (certificate required|bad certificate)', { confidence: 'likely' })
  ],
  related: ['http01-cdn-interferes', 'http01-redirected-to-https'],

  examine ({ hits, addresses, routing, ...rest }) {
    const reading = readHttp01(rest)
    const setting = settingOf(valueIn(routing), 'auth', 'client-certificate', 'allow-list')
    const certificate = settingOf(valueIn(routing), 'client-certificate') !== undefined
    const fitting = hits.filter(({ rule }) => certificate || !/400\|496/.test(rule.match))
    const [best, ...more] = reading.asked ? fitting.filter(({ text }) => text.wrapper !== 'self-check') : fitting
    const { failure } = reading
    // What only the cluster meets is no login of the site.
    const login = (answers(reading.outside) ? [reading.outside] : [reading.outside, reading.inside]).find(probe => probe?.bodyKind === 'login-page' || probe?.perAddress.some(({ hops }) => hops.some(({ location }) => location !== undefined && /oauth2|\/login|\/signin|sso|openid|saml|authorize\?/i.test(location))))
    const what = setting?.claim.settings.find(({ field }) => field === setting.field)?.effect === 'client-certificate' ? 'a client certificate' : setting?.claim.settings.find(({ field }) => field === setting.field)?.effect === 'allow-list' ? 'a source address from an allow-list' : failure?.status === 403 ? 'rights that the CA does not have' : 'a login'
    const where = setting === undefined ? 'Which object demands it could not be seen' : `${claimName(setting.claim)} has ${setting.field}=${setting.value}`
    const own: Citation<Facts>[] = setting === undefined ? [] : ['routing']

    // A proxy on the way out says so to cert-manager alone.
    if (!reading.asked && reading.inside?.bodyKind === 'forward-proxy') return notApplicable
    if (best !== undefined) {
      const cdn = reading.outside?.cdn ?? reading.inside?.cdn ?? cdnOfAddress(failure?.address ?? valueIn(addresses)?.publicAddresses[0]?.address)
      // A 403 that a CDN gave is the CDN's own.
      const confidence = cdn !== undefined && setting === undefined ? 'possible' : certificate && best.rule.confidence === 'possible' ? 'likely' : best.rule.confidence
      return { is: 'found', confidence, blanks: { what, how: failure?.status === undefined ? 'refused' : `status ${failure.status}`, where }, because: [best, ...more.slice(0, 1), ...own] }
    }
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    if (reading.ca !== undefined && reading.ca.kind !== 'other') return notApplicable
    if (failure !== undefined && (failure.status === 401 || failure.status === 403)) {
      const cdn = reading.outside?.cdn ?? reading.inside?.cdn ?? cdnOfAddress(failure?.address ?? valueIn(addresses)?.publicAddresses[0]?.address)
      return { is: 'found', confidence: cdn === undefined && (reading.live || setting !== undefined) ? 'likely' : 'possible', blanks: { what, how: `status ${failure.status}`, where }, because: [failure.cite, ...own] }
    }
    if (login !== undefined) return { is: 'found', confidence: 'likely', blanks: { what: 'a login', how: 'a login page', where }, because: [login === reading.outside ? 'probeFromOutside' : 'probeFromCluster', ...own] }
    return notApplicable
  }
})

const answers = (probe: ProbeFacts | undefined): boolean => probe?.status !== undefined
