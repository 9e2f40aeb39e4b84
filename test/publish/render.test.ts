import { array, assert, property, string } from 'fast-check'
import t from 'tap'
import type { KnownBlock } from '@slack/web-api'
import { makeFinding, type Finding, type FindingInput } from '../../src/publish/finding.ts'
import { limits, sizeOf } from '../../src/publish/slack/blocks.ts'
import { renderRoot, renderThread } from '../../src/publish/slack/render.ts'
import { renderAnnotations } from '../../src/publish/annotations/text.ts'
import { renderText } from '../../src/publish/text/render.ts'
import { renderCausePage, renderIncidentList, renderIncidentPage } from '../../src/publish/page/pages.ts'
import { timelinePicture } from '../../src/publish/slack/timeline-picture.ts'
import type { Diagnosis, FoundCause } from '../../src/shared/types/diagnosis.ts'
import { aCase, aCertificate, aChallenge, aController, aRouting, aSolverChoice, aText, anIdentifier, anIssuer, anOrder, failure } from '../support/builders.ts'

const cause = (over: Partial<FoundCause> = {}): FoundCause => ({
  id: 'http01-port80-blocked', variant: 'timeout', confidence: 'proven', domains: ['shop.example.com'], window: '10m',
  summary: 'port 80 is closed from the internet', meaning: 'The CA timed out connecting to 203.0.113.10:80.',
  steps: [{ text: 'See the load balancer.', command: 'kubectl get service -A', changes: false }, { text: 'Allow TCP 80 from anywhere.', changes: false }],
  evidence: [{ source: 'acme', ref: 'authorization', time: failure, text: 'Timeout during connect' }], ...over
})

const diagnosis = (over: Partial<Diagnosis> = {}): Diagnosis => ({
  format: 1, incident: { namespace: 'shop', certificate: 'shop-tls', order: 'shop-tls-1-2881', domains: ['shop.example.com'] }, verdict: 'cause',
  causes: [cause()], alsoFits: [], ruledOut: [{ id: 'acme-rate-limited', because: 'no text of the CA speaks of a limit' }], cannotTell: [],
  unavailable: [{ source: 'http outside', why: 'no outside probe is configured' }], searched: ['5m', '10m'], anchor: { time: failure, from: 'Order.status.failureTime' },
  nextLooks: [], fallback: [], ...over
})

function input (over: Partial<FindingInput> = {}, texts = [aText('Timeout during connect (likely firewall problem)')]): FindingInput {
  const incident = aCase({ facts: { certificate: aCertificate({ notAfter: failure + 27 * 86_400_000 }), order: anOrder() }, identifiers: [anIdentifier({ facts: { challenge: aChallenge() } })], texts })
  return {
    incident: { id: 'i1', state: 'diagnosed', namespace: 'shop', certificate: 'shop-tls', order: 'shop-tls-1-2881', opened: failure },
    alert: incident.alert, case: incident, diagnosis: diagnosis(),
    links: { report: 'https://triage.example.org/incidents/i1', runbook: 'https://runbooks.example.org/x', silence: 'https://am.example.org/#/silences/new' },
    timings: { notice: 400, diagnosis: 3100 }, ...over
  }
}

const everyText = (blocks: KnownBlock[]): { type: unknown, text: string }[] => {
  const found: { type: unknown, text: string }[] = []
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk)
    else if (typeof value === 'object' && value !== null) {
      const { text, type } = value as { text?: unknown, type?: unknown }
      if (typeof text === 'string') found.push({ type, text })
      Object.values(value).forEach(walk)
    }
  }
  walk(blocks)
  return found
}

t.test('the first line names the object and the cause', t => {
  const finding = makeFinding(input())
  t.equal(finding.headline, 'renewal failed – port 80 is closed from the internet')
  t.equal(finding.word, 'Can wait', 'a certificate with 27 days left waits until the morning')
  t.match(finding.sentence, /^Can wait: shop\/shop-tls: renewal failed – port 80 .* Do this: Allow TCP 80/)
  t.end()
})

t.test('urgency follows what is served', t => {
  const word = (notAfter: number | undefined): string => {
    const over = input()
    over.case!.facts.certificate = { is: 'seen', value: aCertificate({ notAfter }) }
    return makeFinding(over).word
  }
  t.equal(word(undefined), 'Act now', 'never issued')
  t.equal(word(failure - 1), 'Act now', 'expired')
  t.equal(word(failure + 86_400_000), 'Act now', 'a day left')
  t.equal(word(failure + 5 * 86_400_000), 'Act today')
  t.equal(word(failure + 60 * 86_400_000), 'Can wait')
  t.end()
})

t.test('every state has its own first line', t => {
  const state = (over: Partial<FindingInput['incident']>, diagnosed = true): Finding => makeFinding(input({ incident: { ...input().incident, ...over }, ...(diagnosed ? {} : { case: undefined, diagnosis: undefined }) }))
  t.match(state({ state: 'noticed' }, false).headline, /looking for the cause/)
  t.match(state({ state: 'healed', closed: failure + 1_080_000, fixedBy: 'Order shop-tls-2-77 is valid' }).headline, /^healed after 18 min: Order/)
  t.match(state({ state: 'resolved', closed: failure + 60_000 }).headline, /^resolved after 1 min/)
  t.match(makeFinding(input({ diagnosis: diagnosis({ verdict: 'unknown', causes: [], fallback: [{ advice: 'Use staging.', known: 'Not yet.' }] }) })).headline, /no cause found/)
  t.end()
})

t.test('what was left out, how the object was found, what is wrong with the rule and with our clock is told in every place', t => {
  const given = input({ incident: { ...input().incident, truncatedAlerts: 3 } })
  given.case!.clockAhead = -720_000
  given.case!.subject = {
    ...given.case!.subject, hint: { kind: 'Domain', namespace: 'shop', name: 'shop.example.com', from: 'domain' },
    tried: [{ hint: { kind: 'Order', namespace: 'shop', name: 'gone', from: 'order' }, found: false, why: 'there is no Order of this name' }],
    candidates: Array.from({ length: 30 }, (_, index) => ({ namespace: 'shop', order: `${'long-name-'.repeat(20)}${index}`, state: 'invalid' })),
    lint: ['The rule loses the name of the Certificate. Keep it: max by (name) (certmanager_certificate_challenge_status)']
  }
  const finding = makeFinding(given)
  const words = ({ blocks }: { blocks: KnownBlock[] }): string => everyText(blocks).map(({ text }) => text).join('')
  const [root, thread, page, json] = [words(renderRoot(finding)), words(renderThread(finding)), renderIncidentPage(finding, { deliveries: [], json: '' }).replaceAll('&#39;', '\''), JSON.stringify(finding)]
  for (const place of [root, page, json]) {
    t.match(place, /Left out by Alertmanager[^]{0,40}3 alerts/)
    t.match(place, /Clock of this service[^]{0,40}12 min behind the API server's/)
  }
  for (const place of [thread, page, json]) for (const part of [/Decided by domain: Domain shop\/shop\.example\.com/, /Keep it: max by \(name\)/, /Tried Order shop\/gone \(order\): there is no Order of this name/]) t.match(place, part)
  t.match(words(renderRoot(makeFinding({ ...given, incident: { ...given.incident, state: 'noticed' }, case: undefined, diagnosis: undefined }))), /Left out by Alertmanager: 3 alerts/, 'in the first notice')
  given.case!.clockAhead = 20_000
  t.notMatch(JSON.stringify(makeFinding(given)), /Clock of this service/, 'half a minute misleads nobody')
  t.end()
})

t.test('the page tells who issues, who solves, who serves the path, how cert-manager fares and what else fails', t => {
  const given = input()
  const claim = { kind: 'Ingress' as const, namespace: 'shop', host: 'shop.example.com', pathType: 'Exact', className: 'nginx', solver: true, addresses: ['203.0.113.10'], settings: [], tls: false }
  const routing = aRouting({ claims: [{ ...claim, name: 'older', path: '/', wins: true, why: 'is the oldest' }, { ...claim, name: 'cm-acme-http-solver-x', path: '/.well-known/acme-challenge/5aBrLZGYJ8iKWPMX3xD', wins: false, why: 'has the address' }] })
  given.case = aCase({
    facts: { issuer: anIssuer(), controller: aController({ version: 'v1.18.2', ready: 0, replicas: 1, pods: [{ name: 'cm-1', ready: false, restarts: 14, waiting: 'CrashLoopBackOff', lastTermination: { reason: 'OOMKilled', exitCode: 137 } }], apiServices: [{ group: 'acme.example.com/v1', available: false, reason: 'MissingEndpoints' }] }) },
    identifiers: [anIdentifier({ facts: { routing, solverChoice: aSolverChoice({ chosen: 1, considered: [{ index: 0, type: 'dns01', fits: false, why: 'dnsZones do not cover it' }, { index: 1, type: 'http01', fits: true, why: 'has no selector' }] }) } })]
  })
  given.case.blast = { issuer: { name: 'letsencrypt', total: 9, failing: 2, since: failure }, groups: [{ by: 'issuer', name: 'letsencrypt', total: 9, failing: 2, same: 1, since: failure }], others: [{ namespace: 'blog', certificate: 'blog-tls', same: true }] }
  given.case.attempts = [{ uid: 'u 1', order: 'first', at: failure - 3_600_000, state: 'invalid', texts: ['x'], current: false, said: { cause: 'x', confidence: 'likely' } }, { uid: 'u2', order: 'second', at: failure, state: 'invalid', texts: ['x'], current: true }]
  const page = renderIncidentPage(makeFinding(given), { deliveries: [], json: '', caseDownload: '/incidents/i1/case.tar' }).replaceAll('&#39;', '\'')
  for (const part of [
    /first · <a href="\/incidents\/i1\/case\.tar\?attempt=u%201">case files/, /picks solver 1; solver 0 \(dns01\) does not fit: dnsZones do not cover it; solver 1 \(http01\) fits/, /→ shop\.example\.com: Ingress shop\/older for shop\.example\.com\/ \(class nginx; 203\.0\.113\.10\): is the oldest/,
    /cm-acme-http-solver-x for shop\.example\.com\/\.well-known\/acme-challenge\/… /, /v1\.18\.2 in cert-manager: 0 of 1 ready/, /Pod cm-1, waiting: CrashLoopBackOff, 14 restarts, last end: OOMKilled \(exit code 137\)/,
    /APIService acme\.example\.com\/v1 is not available: MissingEndpoints/, /issuer letsencrypt: 2 of 9 others fail since 2026-11-24 10:00:00 UTC, 1 in the same way/, /blog\/blog-tls: in the same way/
  ]) t.match(page, part)
  t.notMatch(page, /5aBrLZ/)
  t.end()
})

t.test('two causes are both named', t => {
  const finding = makeFinding(input({ diagnosis: diagnosis({ causes: [cause(), cause({ id: 'http01-auth-on-path', variant: undefined, summary: 'the path asks for a login', domains: ['www.example.com'] })] }) }))
  t.match(JSON.stringify(renderRoot(finding).blocks), /the path asks for a login/)
  t.equal(renderAnnotations(finding).acme_triage_cause, 'http01-port80-blocked [timeout], http01-auth-on-path')
  t.end()
})

t.test('hostile text can neither ping, link nor become HTML', t => {
  const hostile = '<!channel> <@U123> <https://evil.example|click> <script>alert(1)</script> "&\u0000\u2028'
  const bad = input({ diagnosis: diagnosis({ causes: [cause({ summary: hostile, meaning: hostile, steps: [{ text: hostile, command: hostile, changes: true }], evidence: [{ source: 'log', ref: hostile, text: hostile }] })], ruledOut: [{ id: 'x', because: hostile }], unavailable: [{ source: hostile, why: hostile, fix: hostile }] }) }, [aText(hostile)])
  bad.incident = { ...bad.incident, certificate: hostile }
  const finding = makeFinding(bad)
  for (const { blocks } of [renderRoot(finding), renderThread(finding)]) for (const { type } of everyText(blocks)) t.not(type, 'mrkdwn', 'nothing is parsed as mrkdwn')
  for (const html of [renderIncidentPage(finding, { deliveries: [{ kind: hostile, target: hostile, state: 'dead', attempts: 1, updated: failure, error: hostile }], json: '/x.json' }), renderIncidentList([{ id: 'i', name: hostile, state: 'open', cause: hostile, confidence: '', summary: hostile, opened: failure, updated: failure }], { counts: {}, dead: 0 }), renderCausePage({ id: 'x', title: hostile, meaning: hostile, stage: 'order', since: '0', variants: [], remedy: [{ text: hostile, changes: false }], texts: [{ in: ['log'], match: hostile, confidence: 'proven' }], given: 0 })]) {
    t.notMatch(html, /<script/, 'no script')
    t.notMatch(html, /<!channel>/, 'escaped')
  }
  t.end()
})

t.test('a token or key authorization never leaves', t => {
  const token = '5aBrLZGYJ8iKWPMX3xD_hOo2lyhdXqU1N1vC6-YwWxQ'
  const key = `${token}.DjHTaGb0DdSBkLcwnWc3GV_hDCMO57i73Xvql3_dzvg`
  const leaky = input({ diagnosis: diagnosis({ causes: [cause({ evidence: [{ source: 'challenge', ref: 'Challenge', text: `Fetching http://x/.well-known/acme-challenge/${token}: got "${key}"` }] })] }) }, [aText(`see ${token} and ${key} and Bearer abcdefghijkl`)])
  leaky.case!.identifiers = [anIdentifier({ facts: { challenge: aChallenge({ token, key, reason: `did not match: ${key}` }) } })]
  leaky.case!.timeline = [{ time: failure, source: 'log', ref: 'log', text: `token ${token}` }]
  const finding = makeFinding(leaky)
  const out = [JSON.stringify(renderRoot(finding)), JSON.stringify(renderThread(finding)), renderText(finding), JSON.stringify(renderAnnotations(finding)), renderIncidentPage(finding, { deliveries: [], json: '' })].join('\n')
  t.notMatch(out, new RegExp(token), 'no token')
  t.notMatch(out, /DjHTaGb0DdSBkLcwnWc3GV/, 'no thumbprint')
  t.end()
})

t.test('Slack\'s limits hold whatever the texts are', t => {
  const words = string({ maxLength: 4000, unit: 'binary' })
  assert(property(words, array(words, { maxLength: 30 }), (long, many) => {
    const finding = makeFinding(input({
      incident: { ...input().incident, certificate: long, namespace: long.slice(0, 300) },
      diagnosis: diagnosis({
        causes: many.slice(0, 6).map((text, index) => cause({ id: `c${index}`, summary: text, meaning: text, domains: many, steps: many.map(step => ({ text: step, command: step, changes: true })), evidence: many.map(item => ({ source: 'log' as const, ref: item, text: item, time: failure })) })),
        ruledOut: many.map(text => ({ id: 'x', because: text })), unavailable: many.map(text => ({ source: text, why: text, fix: text })), fallback: many.map(text => ({ advice: text, known: text }))
      })
    }))
    const root = renderRoot(finding)
    const thread = renderThread(finding)
    return root.blocks.length <= limits.rootBlocks && sizeOf(root.blocks) <= limits.rootCharacters && root.text.length <= limits.text &&
      thread.blocks.length <= limits.blocks && sizeOf(thread.blocks) <= limits.characters && thread.text.length <= limits.text &&
      everyText([...root.blocks, ...thread.blocks]).every(({ text }) => text.length > 0 && text.length <= 3000) &&
      Buffer.byteLength(JSON.stringify(renderAnnotations(finding))) <= 8192 && Object.values(renderAnnotations(finding)).join('').length <= 2000
  }), { numRuns: 60 })
  t.end()
})

t.test('the cut is said aloud', t => {
  const many = Array.from({ length: 30 }, (_, index) => `${'x'.repeat(300)} evidence ${index}`)
  const finding = makeFinding(input({ diagnosis: diagnosis({ causes: Array.from({ length: 12 }, (_, index) => cause({ id: `c${index}`, evidence: many.map(text => ({ source: 'log' as const, ref: 'log', text })) })) }) }))
  t.match(JSON.stringify(renderThread(finding).blocks), /… \d+ more, see the report/)
  t.end()
})

t.test('annotations say the same at each write', t => {
  const first = renderAnnotations(makeFinding(input()))
  const later = input()
  later.case!.now += 3_600_000
  t.same(renderAnnotations(makeFinding(later)), first, 'no value depends on the clock')
  t.same(renderAnnotations(makeFinding(input({ incident: { ...input().incident, state: 'noticed' }, case: undefined, diagnosis: undefined }))), {}, 'nothing before the diagnosis')
  t.ok(Object.keys(first).every(name => /^acme_triage_[a-z_]+$/.test(name)))
  t.end()
})

t.test('the thread walks the seven steps with mark and word', t => {
  const finding = makeFinding(input())
  t.equal(finding.steps.length, 7)
  t.same(finding.steps.map(({ number }) => number), [1, 2, 3, 4, 5, 6, 7])
  t.match(JSON.stringify(renderThread(finding).blocks), /✗ found 1 Order: /)
  t.match(JSON.stringify(renderThread(finding).blocks), /– not applicable 4 DNS-01 record: /)
  t.equal(finding.questions.length, 5)
  t.end()
})

t.test('the timeline becomes a picture with words, and none without entries', async t => {
  const picture = await timelinePicture({ name: 'shop/shop-tls', timeline: [{ time: failure, source: 'order', ref: 'Order', text: 'created' }] })
  t.same(Array.from(picture!.png.slice(0, 4)), [0x89, 0x50, 0x4e, 0x47], 'PNG')
  t.ok(picture!.png.length > 3000, 'text was drawn')
  t.match(picture!.alt, /Timeline of shop\/shop-tls: 1 entry/)
  t.equal(await timelinePicture({ name: 'x', timeline: [] }), undefined)
})
