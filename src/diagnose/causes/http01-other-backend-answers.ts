import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { headerUnasked, claimName, gotStatus, hintOf, http01Facts, isForeignAnswer, readHttp01, saidByCa, selfCheckSays, solverClaim, winningRival } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

type Facts = 'routing' | 'probeFromOutside' | 'probeFromCluster'

/** A web server answers on the path, but it is not the solver. */
export default defineCause({
  id: 'http01-other-backend-answers',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: 'Another backend answers the challenge path of {dnsName} ({how})',
  meaning: 'Port 80 of {dnsName} is answered, but not by the solver: {how}. {who}.',
  remedy: [
    { do: 'See who answers.', run: 'curl -sv http://{dnsName}/.well-known/acme-challenge/test' },
    { do: 'See what claims the host.', run: 'kubectl get ingress,httproute -A | grep {dnsName}' },
    'Route /.well-known/acme-challenge/ of the host to the solver: same ingress class as the site, no catch-all before it, every front server alike.',
    'Where the site must own the whole host, use acme.cert-manager.io/http01-edit-in-place, or DNS-01.'
  ],
  texts: [
    ...saidByCa(gotStatus('4\\d\\d|notfound'), { confidence: 'likely', unless: gotStatus('40[13]|426') }),
    ...saidByCa('non[- ]200 status code', { confidence: 'likely', unless: gotStatus('401|403|5\\d\\d|unauthorized|forbidden|\\w*(error|gateway|unavailable|timeout)') }),
    ...saidByCa('invalid response from \\S+( \\[[^\\]]*\\])?: "', { confidence: 'likely', unless: gotStatus('40[13]|5\\d\\d') }),
    ...saidByCa('did not match this challenge|correct value not found|keyauthorization does not match', { confidence: 'likely', unless: '(got|!=) ["\\[][\\w-]{43}\\.[\\w-]{43}["\\]]' }),
    // What other CAs say of a body that is not the key authorization: the standard's type for it, step-ca's word of policy, Vault's length limits.
    { in: everywhere, match: '.', when: { problem: ['incorrectResponse'] }, unless: 'status code: |txt record|dns-01|_acme-challenge|(got|!=) ["\\[][\\w-]{43}\\.[\\w-]{43}["\\]]', confidence: 'likely' },
    ...saidByCa('will not issue certificates for the identifier|http-01: response too (large|small)|(incorrect|invalid|wrong|unexpected) key ?authorization|(response|token|key ?authorization|content|body|file)\\b.{0,20}\\b((did|does) not match|mismatch)|^404 not found|: 404 not found', { confidence: 'likely', unless: 'txt record|dns-01|_acme-challenge|(got|!=) ["\\[][\\w-]{43}\\.[\\w-]{43}["\\]]' }),
    ...selfCheckSays("wrong status code '(2|4)\\d\\d'", { confidence: 'possible', unless: "'(40[137]|426|470)'" }),
    ...selfCheckSays('did not get expected response', { confidence: 'likely', unless: 'but got: [\\w-]{20,44}(\\.[\\w-]{20,44}|\\.* ?\\(truncated\\))' })
  ],
  related: ['http01-ingress-class-mismatch', 'http01-ingress-host-conflict', 'http01-dns-points-elsewhere', 'http01-load-balancer-not-synced'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    const facts = valueIn(routing)
    const rival = winningRival(facts)
    const entry = hintOf(facts, 'https-entrypoint-only')
    const onTls = [reading.outside, reading.inside].some(item => item?.bodyKind === 'tls-on-80') || /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server/i.test(reading.failure?.words ?? '')
    const who = onTls ? 'Plain HTTP gets to a port that expects TLS: see targetPort and protocol of the load balancer' : entry !== undefined ? `The route of the solver is not on the plain HTTP entrypoint (${entry.where}: ${entry.value})`
      : rival !== undefined ? `${claimName(rival)} owns the host and path`
        : solverClaim(facts) === undefined ? 'No solver Ingress or route was seen' : 'A default backend, a front load balancer or another workload serves the path'
    const [best, ...more] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    const probe = [reading.outside, reading.inside].find(item => item !== undefined && (item.outcome === 'wrong-body' || item.outcome === 'empty-body' || item.bodyKind === 'tls-on-80' || (item.outcome === 'status' && item.status === 404)))
    const how = reading.failure?.status !== undefined ? `status ${reading.failure.status}` : probe?.bodyKind !== undefined ? probe.bodyKind.replaceAll('-', ' ') : 'a foreign body'
    const support: Citation<Facts>[] = [
      ...probe !== undefined && reading.live ? [probe === reading.outside ? 'probeFromOutside' as const : 'probeFromCluster' as const] : [],
      ...rival !== undefined || entry !== undefined ? ['routing' as const] : []
    ]
    if (best !== undefined) {
      if (!reading.asked && reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
      // Our own look at the path while the solver should answer makes one wrong answer two.
      const confirmed = reading.live && probe !== undefined
      // A wrong answer behind a forced HTTPS is that redirect's story first; 400 to a PROXY header is that header's.
      const redirected = !reading.asked && (probe?.redirectedToHttps === true || (hintOf(facts, 'force-https') !== undefined && rival === undefined))
      if (redirected || headerUnasked(reading, facts) !== undefined) return { is: 'found', confidence: 'possible', blanks: { how, who }, because: [best, ...support] }
      return { is: 'found', confidence: best.rule.confidence === 'possible' && (confirmed || entry !== undefined) ? 'likely' : best.rule.confidence, blanks: { how, who }, because: [best, ...more.slice(0, 1), ...support] }
    }
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    if (reading.asked && reading.ca?.kind !== 'other') return notApplicable
    if (!isForeignAnswer(reading.failure) || reading.failure?.status === 401 || reading.failure?.status === 403) return notApplicable
    // One address of several gives the wrong answer: front servers that do not agree.
    return { is: 'found', confidence: reading.failure!.by === 'outside' && probe?.redirectedToHttps !== true ? 'likely' : 'possible', blanks: { how, who }, because: [reading.failure!.cite, ...support.filter(item => item !== reading.failure!.cite)] }
  }
})
