import t from 'tap'
import { assert, property, sample, shuffledSubarray, string, stringMatching } from 'fast-check'
import { defineCause } from '../../src/diagnose/cause.ts'
import { causes } from '../../src/diagnose/index.ts'
import { requiredLiterals } from '../../src/diagnose/literals.ts'
import { compilePatterns } from '../../src/diagnose/patterns.ts'
import { buildDiagnoser } from '../../src/diagnose/run.ts'
import { fill, fillCommand } from '../../src/diagnose/wording.ts'
import { aCase, aCertificate, aController, aChallenge, aText, anAddresses, anIdentifier, anIssuer, anOrder, aTxt, failure, noLook } from '../support/builders.ts'

const minute = 60_000
const diagnoser = buildDiagnoser()
const rateLimit = 'Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many failed authorizations (5) for "shop.example.com" in the last 1h0m0s'
const noRecord = 'acme: authorization error for shop.example.com: 400 urn:ietf:params:acme:error:dns: While processing CAA for shop.example.com: DNS problem: SERVFAIL looking up CAA for example.com'
const order = (text: string, over: Parameters<typeof aText>[1] = {}): ReturnType<typeof aText> => aText(text, { source: 'order', ref: 'Order shop/shop-tls-1-2881', wrapper: 'order-create', ...over })
const heads = (incident: ReturnType<typeof aCase>): string[] => diagnoser.diagnose(incident).causes.map(({ id, variant }) => variant === undefined ? id : `${id}[${variant}]`)

t.test('a limit on failures names the earlier failure first when its words are left', async t => {
  t.same(heads(aCase({ texts: [order(rateLimit)] })), ['acme-rate-limited[failed-validations]'])
  const both = aCase({ texts: [order(rateLimit), aText(noRecord, { attempt: 'earlier', time: failure - 45 * minute })] })
  t.same(heads(both), ['acme-caa-lookup-failed', 'acme-rate-limited[failed-validations]'])
  t.equal(diagnoser.diagnose(both).causes[0]?.confidence, 'likely', 'another attempt proves nothing of this one')
})

t.test('words of an earlier attempt never decide', async t => {
  const diagnosis = diagnoser.diagnose(aCase({ texts: [aText(noRecord, { attempt: 'earlier', time: failure - minute })] }))
  t.equal(diagnosis.verdict, 'unknown')
  t.same(diagnosis.causes, [])
})

t.test('another limit is not explained by an earlier failure', async t => {
  const orders = order('429 urn:ietf:params:acme:error:rateLimited: too many new orders (300) from this account in the last 3h0m0s')
  t.same(heads(aCase({ texts: [orders, aText(noRecord, { attempt: 'earlier' })] })), ['acme-rate-limited[new-orders-per-account]'])
})

t.test('root before consequence: a shared Secret explains a limit on certificates, not one on failures', async t => {
  const certificate = aCertificate({ sharesSecretWith: ['web-tls'] })
  const exact = order('429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s')
  const explained = diagnoser.diagnose(aCase({ facts: { certificate }, texts: [exact] }))
  t.same(explained.causes.map(({ id }) => id), ['certificate-duplicate-secret'])
  t.same(explained.alsoFits.map(({ id }) => id), ['acme-rate-limited'])
  t.same(heads(aCase({ facts: { certificate }, texts: [order(rateLimit)] })), ['acme-rate-limited[failed-validations]'])
})

t.test('what a line proves is only likely where nobody says that it is about this attempt', async t => {
  const words = 'DNS update failed. Server replied: REFUSED'
  const told = (...texts: ReturnType<typeof aText>[]): unknown => diagnoser.diagnose(aCase({ identifiers: [anIdentifier({ challengeType: 'DNS-01' })], texts })).causes.map(({ id, confidence }) => [id, confidence])
  const guess = aText(words, { source: 'log', guessed: true })
  t.same(told(guess), [['dns01-update-refused', 'likely']])
  t.same(told(guess, aText(words, { source: 'event', wrapper: 'present' })), [['dns01-update-refused', 'proven']], 'an Event says so as well')
})

t.test('what DNS shows now explains no attempt of a certificate that was issued', async t => {
  const about = { addresses: anAddresses({ publicState: 'nxdomain' as const, publicAddresses: [] }) }
  const ready = { type: 'Ready', status: 'True' } as const
  const issued = aCertificate({ ready, lastFailureTime: undefined, failedIssuanceAttempts: 0 })
  const asked = (facts: NonNullable<Parameters<typeof aCase>[0]>['facts'], state: 'unknown' | 'pending' = 'unknown') => diagnoser.diagnose(aCase({ identifiers: [anIdentifier({ state, facts: about })], facts }))
  const idle = asked({ certificate: issued, order: anOrder({ state: 'valid' }) })
  t.equal(idle.verdict, 'unknown')
  t.ok(idle.alsoFits.some(({ id }) => id === 'http01-dns-record-missing'), 'it stays a hint')
  t.equal(asked({ certificate: issued }).verdict, 'unknown', 'nothing is left of the attempt')
  const head = 'http01-dns-record-missing'
  t.equal(asked({ certificate: aCertificate({ ready }), order: anOrder() }).causes[0]?.id, head, 'a renewal fails')
  t.equal(asked({ certificate: { ...issued, issuing: { type: 'Issuing', status: 'True' } } }).causes[0]?.id, head, 'a renewal runs')
  t.equal(asked({ certificate: issued, order: anOrder({ state: 'pending' }) }).causes[0]?.id, head, 'an order is open')
  t.equal(asked({ certificate: issued }, 'pending').causes[0]?.id, head, 'a challenge is open')
})

t.test('two names that fail for two causes give two entries, each with its name', async t => {
  const incident = aCase({
    identifiers: [anIdentifier({ name: 'a.example.com' }), anIdentifier({ name: 'b.example.com' }), anIdentifier({ name: 'c.example.com', state: 'passed' })],
    texts: [
      aText('403 urn:ietf:params:acme:error:caa: While processing CAA for a.example.com: CAA record for example.com prevents issuance', { about: ['a.example.com'] }),
      aText('400 urn:ietf:params:acme:error:connection: During secondary validation: 203.0.113.1: Fetching http://b.example.com/x: Timeout during connect (likely firewall problem)', { about: ['b.example.com'] })
    ]
  })
  t.same(diagnoser.diagnose(incident).causes.map(({ id, domains }) => [id, domains]), [['acme-caa-forbids-issuer', ['a.example.com']], ['acme-secondary-validation-failed', ['b.example.com']]])
})

t.test('one cause for two names is one entry', async t => {
  const incident = aCase({ identifiers: [anIdentifier({ name: 'a.example.com' }), anIdentifier({ name: 'b.example.com', wildcard: true })], texts: [order('429 urn:ietf:params:acme:error:rateLimited: too many new orders (300) from this account')] })
  t.same(diagnoser.diagnose(incident).causes.map(({ domains }) => domains), [['a.example.com', '*.b.example.com']])
})

t.test('windows widen until one answers, and the evidence names its own', async t => {
  const busy = (age: number): ReturnType<typeof aCase> => aCase({ texts: [order('503 urn:ietf:params:acme:error:rateLimited: Service busy; retry later.', { source: 'log', time: failure - age * minute })] })
  for (const [age, searched, window] of [[2, ['5m'], '5m'], [8, ['5m', '10m'], '10m'], [100, ['5m', '10m', '30m', '1h', '2h'], '2h']] as const) {
    const diagnosis = diagnoser.diagnose(busy(age))
    t.same(diagnosis.searched, searched, `${age} minutes before`)
    t.equal(diagnosis.causes[0]?.window, window)
  }
  const late = diagnoser.diagnose(busy(60 * 25))
  t.equal(late.verdict, 'unknown', 'a day is the end')
  t.equal(late.searched.length, 6)
  t.equal(late.fallback.length, 5)
})

t.test('standing state counts in every window and has no time', async t => {
  const issuer = anIssuer({ exists: false, ready: undefined, acme: undefined })
  t.match(diagnoser.diagnose(aCase({ facts: { issuer } })), { searched: ['5m'], causes: [{ id: 'issuer-not-found', window: 'state' }] })
})

t.test('a line that was folded counts where it came nearest', async t => {
  const folded = order('503 urn:ietf:params:acme:error:rateLimited: Service busy; retry later.', { source: 'log', time: failure - 90 * minute, first: failure - 90 * minute, last: failure + minute, count: 40 })
  t.same(diagnoser.diagnose(aCase({ texts: [folded] })).searched, ['5m'])
})

t.test('nothing seen is unknown, with a list of what to do and no cause', async t => {
  const diagnosis = diagnoser.diagnose(aCase())
  t.match(diagnosis, { verdict: 'unknown', causes: [], alsoFits: [] })
  t.ok(diagnosis.nextLooks.length > 0 && diagnosis.nextLooks.length <= 2)
})

t.test('what was ruled out comes with its evidence, what is related first', async t => {
  const diagnosis = diagnoser.diagnose(aCase({ facts: { issuer: anIssuer(), controller: aController(), certificate: aCertificate() }, texts: [order('429 urn:ietf:params:acme:error:rateLimited: too many new orders (300) from this account')] }))
  const ids = diagnosis.ruledOut.map(({ id }) => id)
  t.equal(ids[0], 'certificate-duplicate-secret', 'related to a limit')
  t.ok(ids.includes('issuer-not-found') && ids.includes('cert-manager-not-running'))
  t.ok(diagnosis.ruledOut.every(({ because, evidence }) => because !== '' && (evidence?.length ?? 0) > 0))
})

t.test('policy: off, and lowest shown', async t => {
  const incident = aCase({ facts: { certificate: aCertificate({ sharesSecretWith: ['web-tls'] }) } })
  const one = causes.filter(({ id }) => id === 'certificate-duplicate-secret')
  t.same(buildDiagnoser(one, { 'certificate-duplicate-secret': { off: true } }).diagnose(incident).causes, [])
  t.same(buildDiagnoser(one, { 'certificate-duplicate-secret': { lowest: 'proven' } }).diagnose(incident).causes, [])
  t.equal(buildDiagnoser(one, { 'certificate-duplicate-secret': { lowest: 'likely' } }).diagnose(incident).causes.length, 1)
})

t.test('what a cause needs and nobody could see is answered by the runner', async t => {
  const cause = defineCause({ id: 'site-test', since: '0', stage: 'order', needs: ['challenge'], title: 'a', meaning: 'b', remedy: [], examine: () => { throw new Error('not to be called') } })
  const forbidden = aCase({ about: { challenge: { is: 'unavailable', why: 'challenges are forbidden' } } })
  t.same(buildDiagnoser([cause]).diagnose(forbidden).cannotTell, [{ id: 'site-test', why: 'challenge: challenges are forbidden' }])
  t.same(buildDiagnoser([cause]).diagnose(aCase()).cannotTell, [], 'absent is not unavailable')
})

t.test('causes of the other challenge type are not asked', async t => {
  const cause = defineCause({ id: 'dns01-site-test', since: '0', stage: 'order', needs: [], title: 'a', meaning: 'b', remedy: [], texts: [{ in: ['challenge'], match: 'x', confidence: 'proven' }] })
  t.equal(buildDiagnoser([cause]).diagnose(aCase({ texts: [aText('x')] })).verdict, 'unknown')
  t.equal(buildDiagnoser([cause]).diagnose(aCase({ texts: [aText('x')], identifiers: [anIdentifier({ challengeType: 'DNS-01' })] })).verdict, 'cause')
})

t.test('a pattern that is no RE2 is refused by name', async t => {
  const cause = defineCause({ id: 'site-test', since: '0', stage: 'order', needs: [], title: 'a', meaning: 'b', remedy: [], texts: [{ in: ['challenge'], match: 'a(?=b)', confidence: 'proven' }] })
  t.throws(() => compilePatterns([cause]).match(aText('a?=b')), /site-test.*a\(\?=b\)/)
})

t.test('the same case gives the same diagnosis, whatever the order of its texts', async () => {
  const texts = [order(rateLimit), aText(noRecord), order('503 urn:ietf:params:acme:error:rateLimited: Service busy; retry later.', { source: 'log' }), aText('leader election lost', { source: 'log' })]
  const told = (list: typeof texts): string => JSON.stringify(diagnoser.diagnose(aCase({ facts: { order: anOrder() }, about: { challenge: aChallenge() }, texts: list })).causes.map(({ id, confidence }) => [id, confidence]))
  const first = told(texts)
  assert(property(shuffledSubarray(texts, { minLength: texts.length }), list => told(list) === first), { numRuns: 20 })
})

t.test('any text is judged without harm', async () => {
  assert(property(string({ unit: 'binary', maxLength: 400 }), text => {
    const diagnosis = diagnoser.diagnose(aCase({ texts: [aText(text)] }))
    return diagnosis.causes.every(({ confidence }) => confidence !== 'proven')
  }), { numRuns: 20 })
})

t.test('a command takes a hostile value as one word', async t => {
  t.equal(fillCommand('dig CAA {zone}', { zone: 'a.example; rm -rf /' }), 'dig CAA \'a.example; rm -rf /\'')
  t.equal(fillCommand('dig CAA {zone}', { zone: '\'$(id)\n' }), 'dig CAA \'\'\\\'\'$(id) \'')
  t.equal(fillCommand('dig CAA {zone} -o jsonpath="{.spec}"', { zone: 'a.example' }), 'dig CAA a.example -o jsonpath="{.spec}"')
  t.equal(fillCommand('kubectl -n {namespace} get x', {}), 'kubectl -n <namespace> get x')
  t.equal(fill('of {constructor}', {}), 'of <constructor>', 'names of the prototype are no blanks')
})

t.test('the literals of a pattern are held by whatever it matches', async t => {
  t.same(requiredLiterals('a(b|cd)+ef?gh'), ['gh'])
  t.same(requiredLiterals('(?P<what>\\w+) looking up caa for'), [' looking up caa for'])
  t.same(requiredLiterals('(too many|not enough) things?'), ['too many', 'not enough'])
  t.same(requiredLiterals('x{2,}|ab[cd]|a.b'), undefined, 'a branch of single letters needs nothing')
  t.same(requiredLiterals('.'), undefined)
  let tried = 0
  for (const { id, texts } of causes) for (const { match } of texts) {
    const literals = requiredLiterals(match)
    const samples = literals === undefined ? [] : samplesOf(match)
    tried += samples.length
    for (const sample of samples) if (!literals!.some(literal => sample.toLowerCase().includes(literal))) t.fail(`${id}: ${match} matches ${JSON.stringify(sample)}, which holds none of ${literals!.join(', ')}`)
  }
  t.ok(tried > 300, `${tried} strings were tried`)
})

/** Strings that the pattern matches; none for syntax that the generator does not know. */
function samplesOf (pattern: string): string[] {
  try {
    return sample(stringMatching(new RegExp(pattern.replaceAll('(?P<', '(?<').replaceAll('\\b', ''))), { numRuns: 2, seed: 7 })
  } catch {
    return []
  }
}

t.test('hostile texts cost little and hide nothing', async t => {
  const start = '429 urn:ietf:params:acme:error:rateLimited: too many new orders (300) from this account '
  t.same(heads(aCase({ texts: [order(start + 'is forbidden: user "system:serviceaccount:'.repeat(400))] })), ['acme-rate-limited[new-orders-per-account]'])
  t.same(heads(aCase({ texts: [order('a'.repeat(16_384) + start)] })), [], 'what means something stands in the first 16 kB')
})

t.test('an error of the clean-up hides behind what failed before it', async t => {
  const cleanup = aText('Error cleaning up challenge: webhook.cert-manager.io: failed calling webhook "webhook.cert-manager.io": connection refused', { wrapper: 'cleanup' })
  const alone = diagnoser.diagnose(aCase({ texts: [cleanup] }))
  t.match(alone.causes, [{ id: 'cert-manager-webhook-unavailable', confidence: 'likely' }], 'it is told when nothing else is known')
  const masked = diagnoser.diagnose(aCase({ about: { caa: { evidence: [], records: [], allows: false, foundAt: 'example.com' }, challenge: aChallenge() }, texts: [cleanup] }))
  t.same(masked.causes.map(({ id }) => id), ['acme-caa-forbids-issuer'])
  t.ok(masked.alsoFits.some(({ id }) => id === 'cert-manager-webhook-unavailable'))
})

t.test('a cause of the site goes before one of the catalogue that is as sure', async t => {
  const site = defineCause({ id: 'site-limit', since: '0', stage: 'storage', needs: [], title: 'a', meaning: 'b', remedy: [], texts: [{ in: ['order'], match: 'too many failed', confidence: 'proven' }] })
  const limit = causes.filter(({ id }) => id === 'acme-rate-limited')
  t.same(buildDiagnoser([...limit, site]).diagnose(aCase({ texts: [order(rateLimit)] })).causes.map(({ id }) => id), ['site-limit'])
})

t.test('a success overcomes what failed before it, and nothing that the webhook said to itself', async t => {
  const challenge = aChallenge({ type: 'DNS-01', state: 'pending', presented: true, asked: false, solver: 'webhook' })
  const waits = aText('Waiting for DNS-01 challenge propagation: NS ns1.example.net.:53 returned SERVFAIL for _acme-challenge.shop.example.com.', { source: 'challenge', wrapper: 'self-check' })
  const early = aText('Error presenting challenge: Error: 9109: Invalid access token', { source: 'event', wrapper: 'present', time: failure - minute })
  const repeated = aText('Error presenting challenge: Error: 9109: Invalid access token', { source: 'log', wrapper: 'log', time: failure - minute })
  const own = aText('the API says: Error: 9109: Invalid access token', { source: 'log', wrapper: 'log', time: failure - minute })
  const about = (facts: NonNullable<Parameters<typeof anIdentifier>[0]>['facts'], texts: ReturnType<typeof aText>[]): string[] => heads(aCase({ identifiers: [anIdentifier({ challengeType: 'DNS-01', facts })], texts }))
  t.same(about({ challenge }, [waits, early, repeated]), ['dns01-nameserver-failing'])
  t.same(about({ challenge: { ...challenge, presented: false } }, [early]), ['dns01-credentials-rejected'])
  t.same(about({ challenge }, [own]), ['dns01-credentials-rejected'])
  const called = (time: number): ReturnType<typeof aText> => aText('re-queuing item due to error processing: Internal error occurred: failed calling webhook "webhook.cert-manager.io": context deadline exceeded', { source: 'log', wrapper: 'log', about: [], time })
  const checked = aText('propagation check failed: NS ns1.example.net.:53 returned SERVFAIL for _acme-challenge.shop.example.com.', { source: 'log', wrapper: 'self-check', time: failure - minute })
  t.same(about({ challenge }, [waits, checked, called(failure - 3 * minute)]), ['dns01-nameserver-failing'])
  t.same(about({ challenge }, [waits, checked, called(failure)]), ['cert-manager-webhook-unavailable'])
})

t.test('a Challenge that cannot be seen was presented when it was checked later', async t => {
  const at = (ago: number): number => failure - ago * minute
  const refused = aText('DNS update failed. Server replied: REFUSED', { source: 'event', wrapper: 'present', about: ['shop.example.com'], time: at(9) })
  const checked = (time: number, about: string[]): ReturnType<typeof aText> => aText('DNS record for "shop.example.com" not yet propagated', { source: 'log', wrapper: 'self-check', about, time })
  const told = (later: ReturnType<typeof aText>): string[] => heads(aCase({ identifiers: [anIdentifier({ challengeType: 'DNS-01', facts: { challenge: noLook() } })], texts: [refused, later] }))
  t.same(told(checked(at(1), ['shop.example.com'])), ['dns01-not-propagated[none]'])
  t.same(told(checked(at(20), ['shop.example.com'])), ['dns01-update-refused'], 'it was checked before')
  t.same(told(checked(at(1), ['blog.example.com'])), ['dns01-update-refused'], 'another name was checked')
  const presented = (time: number): ReturnType<typeof aText> => aText('Presented challenge using DNS-01 challenge mechanism', { source: 'event', wrapper: 'object', about: ['shop.example.com'], time })
  t.same(told(presented(at(1))), [], 'it was presented after all')
  t.same(told(presented(at(20))), ['dns01-update-refused'], 'it was presented in the attempt before')
})

t.test('a failing watch of routes stops only who needs them or never began', async t => {
  const watch = aText('failed to list *v1.HTTPRoute: httproutes.gateway.networking.k8s.io is forbidden: User "system:serviceaccount:cert-manager:cert-manager" cannot list resource "httproutes" in API group "gateway.networking.k8s.io" at the cluster scope', { source: 'log', wrapper: 'log', about: [], time: failure })
  const words = aText('Error presenting challenge: pods "x" is forbidden: exceeded quota', { source: 'event', wrapper: 'present', about: ['shop.example.com'], time: failure })
  const about = (solver: 'ingress' | 'gatewayHTTPRoute', presented: boolean, texts = [watch]): string => heads(aCase({ identifiers: [anIdentifier({ challengeType: 'HTTP-01', facts: { challenge: aChallenge({ type: 'HTTP-01', state: 'pending', solver, presented, asked: false }) } })], texts })).join()
  t.match(about('ingress', false), /cert-manager-rbac-denied/, 'nothing tells that it began')
  t.match(about('gatewayHTTPRoute', true), /cert-manager-rbac-denied/)
  t.notMatch(about('ingress', true), /cert-manager-rbac-denied/)
  t.notMatch(about('ingress', false, [watch, words]), /cert-manager-rbac-denied/, 'it got as far as making the Pod')
})

t.test('an admission webhook that was silent for a moment did not stop what was presented since', async t => {
  const silent = aText('Error presenting challenge: Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io": context deadline exceeded', { source: 'event', wrapper: 'present', about: ['shop.example.com'], time: failure - 9 * minute })
  const about = (presented: boolean): string[] => heads(aCase({ identifiers: [anIdentifier({ challengeType: 'HTTP-01', facts: { challenge: aChallenge({ type: 'HTTP-01', state: 'pending', presented, asked: false }) } })], texts: [silent] }))
  t.notMatch(about(true).join(), /http01-ingress-rejected/)
  t.match(about(false).join(), /http01-ingress-rejected/)
})

t.test('what brought a lasting symptom about is looked for further back', async t => {
  const challenge = aChallenge({ type: 'DNS-01', state: 'pending', presented: true, asked: false, solver: 'webhook', key: 'expected' })
  const txt = aTxt({ servers: [{ vantage: 'authoritative', server: 'ns1', values: [], hasExpected: false, rcode: 'NXDOMAIN' }] })
  const waits = aText('DNS record for "shop.example.com" not yet propagated', { source: 'challenge', wrapper: 'self-check' })
  const long = (ago: number): ReturnType<typeof aText> => aText('unable to find id for zone name ``; wrong number of zones', { source: 'log', wrapper: 'log', time: failure - ago * minute })
  const seen = (texts: ReturnType<typeof aText>[]): ReturnType<typeof diagnoser.diagnose> => diagnoser.diagnose(aCase({ identifiers: [anIdentifier({ challengeType: 'DNS-01', facts: { challenge, txt } })], texts }))
  t.same(seen([waits]).searched, ['5m'])
  const explained = seen([waits, long(45)])
  t.same(explained.causes.map(({ id, window }) => [id, window]), [['dns01-webhook-config-invalid', '1h']])
  t.same(explained.alsoFits.map(({ id }) => id), ['dns01-zone-not-found', 'dns01-not-propagated'])
  t.equal(explained.searched.at(-1), '1h')
})

t.test('a cause for "any other reason" stands behind one that knows the reason', async t => {
  const words = aText('Error presenting challenge: unexpected status code 404', { source: 'event', wrapper: 'present' })
  const { causes: [first], alsoFits } = diagnoser.diagnose(aCase({ identifiers: [anIdentifier({ challengeType: 'DNS-01' })], texts: [words] }))
  t.equal(first?.id, 'dns01-zone-not-found')
  t.same(alsoFits.map(({ id }) => id), ['dns01-provider-error'])
})
