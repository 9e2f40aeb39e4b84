import t from 'tap'
import { adler32 } from '../../src/shared/adler32.ts'
import { chooseSolver, overridesOf, type ChoiceInput } from '../../src/correlate/facts/solver-picker.ts'

const http = (name: string, selector?: Record<string, unknown>) => ({ http01: { ingress: { ingressClassName: name } }, ...selector === undefined ? {} : { selector } })
const dns = (selector?: Record<string, unknown>) => ({ dns01: { route53: { region: 'eu-west-1' } }, ...selector === undefined ? {} : { selector } })
const input = (solvers: Record<string, unknown>[], over: Partial<ChoiceInput> = {}): ChoiceInput =>
  ({ name: 'shop.eu.example.com', wildcard: false, solvers, labels: new Map(), offered: ['http-01', 'dns-01', 'tls-alpn-01'], ref: 'ClusterIssuer letsencrypt', ...over })

t.test('solver choice', t => {
  const rows: [title: string, given: ChoiceInput, chosen: number | undefined, type?: string][] = [
    ['the first of two solvers without a selector wins', input([http('a'), http('b')]), 0, 'HTTP-01'],
    ['no solver at all leaves nothing to choose', input([]), undefined],
    ['a solver with an empty selector loses to one that names the zone', input([http('a', {}), dns({ dnsZones: ['example.com'] })]), 1, 'DNS-01'],
    ['the longer zone wins over the shorter, whatever the order', input([dns({ dnsZones: ['eu.example.com'] }), http('a', { dnsZones: ['example.com'] })]), 0, 'DNS-01'],
    ['a listed name wins over any zone', input([dns({ dnsZones: ['shop.eu.example.com'] }), http('a', { dnsNames: ['shop.eu.example.com'] })]), 1, 'HTTP-01'],
    ['more matching labels decide between equal zones', input([http('a', { dnsZones: ['example.com'] }), http('b', { dnsZones: ['example.com'], matchLabels: { team: 'shop' } })], { labels: new Map([['team', 'shop']]) }), 1, 'HTTP-01'],
    ['a listed name wins over labels', input([http('a', { matchLabels: { team: 'shop' } }), http('b', { dnsNames: ['shop.eu.example.com'] })], { labels: new Map([['team', 'shop']]) }), 1, 'HTTP-01'],
    ['a label that the Order lacks shuts the solver out', input([http('a', { matchLabels: { team: 'shop' } })]), undefined],
    ['every part of a selector must match', input([http('a', { dnsNames: ['shop.eu.example.com'], dnsZones: ['other.example'] })]), undefined],
    ['a zone is not matched by a name that merely ends alike', input([http('a', { dnsZones: ['u.example.com'] })]), undefined],
    ['a wildcard passes over HTTP-01', input([http('a'), dns()], { wildcard: true, offered: ['dns-01'] }), 1, 'DNS-01'],
    ['a wildcard with HTTP-01 only has no solver', input([http('a')], { wildcard: true, offered: ['dns-01'] }), undefined],
    ['dnsNames must list the wildcard itself', input([dns({ dnsNames: ['shop.eu.example.com'] })], { wildcard: true, offered: ['dns-01'] }), undefined],
    ['a type that the CA does not offer is passed over', input([dns(), http('a')], { offered: ['http-01'] }), 1, 'HTTP-01'],
    ['a solver with both types takes what the CA names first', input([{ ...http('a'), ...dns() }], { offered: ['dns-01', 'http-01'] }), 0, 'DNS-01'],
    ['a solver with no type is never chosen', input([{ selector: {} }]), undefined],
    ['names are compared without regard to case', input([http('a', { dnsNames: ['SHOP.eu.example.com'] })]), 0, 'HTTP-01']
  ]
  for (const [title, given, chosen, type] of rows) {
    const choice = chooseSolver(given)
    t.match({ chosen: choice.chosen, type: choice.challengeType }, { chosen, type }, title)
    t.equal(choice.considered.length, given.solvers.length, `${title}: every solver is explained`)
  }
  t.match(chooseSolver(input([http('a', { dnsZones: ['example.org'] })])).evidence[0]?.text, /covers example\.org, not shop\.eu\.example\.com/, 'the evidence says why none fits')
  t.same(overridesOf(new Map([['acme.cert-manager.io/http01-override-ingress-class', 'public'], ['other', 'x']])), ['acme.cert-manager.io/http01-override-ingress-class=public'])
  t.end()
})

t.test('checksums of solver labels are those of Go', t => {
  t.equal(adler32('www.example.com'), 810681837, 'as on a recorded solver Pod')
  t.equal(adler32(''), 1)
  t.equal(adler32('Wikipedia'), 0x11E60398)
  t.end()
})
