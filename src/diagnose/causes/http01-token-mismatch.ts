import { defineCause, notApplicable } from '../cause.ts'
import { http01Facts, readHttp01, saidByCa, selfCheckSays } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** Somebody answers the challenge, and answers as an ACME client does, but with the key of another order or account. */
export default defineCause({
  id: 'http01-token-mismatch',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: http01Facts,
  title: 'Another ACME client answers the challenge of {dnsName}',
  meaning: 'The path gives a key authorization, but not the one of this challenge ({what}). A second issuer, another cluster behind the same name, or a solver left over from an earlier attempt answers.',
  remedy: [
    { do: 'Look for solvers of the name in every namespace.', run: 'kubectl get pod,service,ingress,httproute -A -l acme.cert-manager.io/http01-solver=true' },
    { do: 'Look for other challenges of the name.', run: 'kubectl get challenge -A -o wide | grep {dnsName}' },
    'Let one ACME client own the name: stop certbot, a hosting panel, or the other cluster; remove the left-over solver.'
  ],
  texts: [
    // `(got "…")` since 2021, `!= […]` and `!= "…"` before (Boulder va/http.go).
    ...saidByCa('(?:did not match this challenge|does not match).*(got|!=) ["\\[][\\w-]{43}\\.[\\w-]{43}["\\]]', { confidence: 'proven' }),
    ...selfCheckSays('but got: [\\w-]{20,24}\\.* ?\\(truncated\\)|but got: [\\w-]{40,44}\\.[\\w-]{40,44}', { confidence: 'likely' }),
    { in: everywhere, match: 'keyauthorization does not match; expected \\S+, but got [^\\[]', confidence: 'proven' },
    { in: everywhere, match: 'multiple existing challenge solver (pods|services|ingresses) found|multiple httproutes found', confidence: 'possible' },
    { in: everywhere, match: 'found existing solver (pod|service|ingress).{0,120}does not have an appropriate ownerreference', confidence: 'possible' }
  ],
  related: ['http01-other-backend-answers'],

  examine ({ hits, challenge, ...rest }) {
    const reading = readHttp01({ challenge, ...rest })
    const [best] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    const token = valueIn(challenge)?.token ?? ''
    const same = best !== undefined && token.length > 20 && (best.text.whole.includes(`got "${token}.`) || best.text.whole.includes(`but got: ${token.slice(0, 24)}`))
    const what = same ? 'the token is right, the account key is another' : 'token and key belong to another order'
    if (best !== undefined && best.rule.confidence !== 'possible') return { is: 'found', confidence: best.rule.confidence, blanks: { what }, because: [best] }
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const probe = [reading.outside, reading.inside].find(item => item?.outcome === 'other-token' || item?.bodyKind === 'other-key-authorization')
    // Asked for a token that nobody has, an honest solver of the real one may answer with it behind a rewrite.
    if (probe !== undefined) return { is: 'found', confidence: probe.tokenAsked ? 'likely' : 'possible', blanks: { what: 'seen by our own request' }, because: [probe === reading.outside ? 'probeFromOutside' : 'probeFromCluster'] }
    // Said in passing by most healthy retries: only when it keeps being said.
    if (best !== undefined && best.text.count > 3 && reading.failure !== undefined) return { is: 'found', confidence: 'possible', blanks: { what: 'duplicate solver objects' }, because: [best] }
    return notApplicable
  }
})
