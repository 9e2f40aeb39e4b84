import t from 'tap'
import * as fc from 'fast-check'
import { peelProblem, peelWrapper, problemFromDocument, problemsIn } from '../../src/correlate/acme-problem.ts'

const urn = 'urn:ietf:params:acme:error:'

t.test('every wrapper tells its stage:', async t => {
  const rows: [string, string, string][] = [
    ['a self-check', 'Waiting for HTTP-01 challenge propagation: wrong status code \'404\', expected \'200\'', 'self-check'],
    ['presenting', 'Error presenting challenge: secret "x" not found', 'present'],
    ['presenting, folded by the event correlator', '(combined from similar events): Error presenting challenge: pods "cm-acme-http-solver-27jpb" is forbidden', 'present'],
    ['cleaning up', 'Error cleaning up challenge: unable to assume role', 'cleanup'],
    ['an authorization', `Error accepting authorization: acme: authorization error for a.example.com: 403 ${urn}unauthorized: 404`, 'authorization'],
    ['accepting', `Error accepting challenge: 404 ${urn}malformed: Expired authorization`, 'accept'],
    ['placing the order, four layers deep', `The certificate request has failed to complete and will be retried: Failed to wait for order resource "web-1-2" to become ready: order is in "errored" state: Failed to create Order: 429 ${urn}rateLimited: too many certificates`, 'order-create'],
    ['finalizing in the log', `error finalizing order: acme: order  status: invalid; problem: 403 ${urn}caa: Error finalizing order :: x`, 'order-finalize'],
    ['finalizing without a problem', 'error finalizing order: acme: order https://ca.example/order/1 status: invalid', 'order-finalize'],
    ['registering, with an issuer around it', `Error initializing issuer: Failed to register ACME account: 400 ${urn}invalidContact: x`, 'account'],
    ['updating the account, printed without a blank', `Failed to update ACME account:400 ${urn}invalidEmail: x`, 'account'],
    ['choosing a solver', 'Failed to determine a valid solver configuration for the set of domains on the Order: no configured challenge solvers can be used for this challenge', 'solver-selection']
  ]
  for (const [title, text, wrapper] of rows) t.equal(peelWrapper(text).wrapper, wrapper, title)
  t.equal(peelWrapper('plain', 'present').wrapper, 'present', 'no wrapper: where it stood decides')
  t.equal(peelWrapper('order is in "invalid" state: ').core, 'order is in "invalid" state:', 'an empty core keeps the last words')
})

t.test('Boulder\'s layers become fields:', async t => {
  t.match(peelProblem(`acme: authorization error for www.shop.example: 400 ${urn}connection: 203.0.113.21: Fetching http://www.shop.example/.well-known/acme-challenge/5a: Timeout during connect (likely firewall problem)`), {
    status: 400, type: 'connection', ip: '203.0.113.21', family: 4, url: 'http://www.shop.example/.well-known/acme-challenge/5a', identifier: 'www.shop.example', detail: 'Timeout during connect (likely firewall problem)', secondary: false
  }, 'address and URL')
  t.match(peelProblem(`400 ${urn}connection: During secondary validation: 2001:db8::5: Fetching http://a/: Connection refused`), { secondary: true, family: 6, ip: '2001:db8::5', detail: 'Connection refused' }, 'secondary, IPv6')
  t.match(peelProblem(`403 ${urn}caa: Error finalizing order :: rechecking caa: While processing CAA for *.a.example.com: CAA record for a.example.com prevents issuance`), {
    stage: 'Error finalizing order', caa: { name: '*.a.example.com', recheck: true }, detail: 'CAA record for a.example.com prevents issuance'
  }, 'CAA at finalize')
  t.match(peelProblem(`403 ${urn}unauthorized: 203.0.113.7: Invalid response from http://a.example.com/x: 404`), { ip: '203.0.113.7', url: 'http://a.example.com/x', detail: 'Invalid response from http://a.example.com/x: 404' }, 'a content error keeps its words')
  t.match(peelProblem('429 : 429 Too Many Requests'), { status: 429, type: '', detail: '429 Too Many Requests' }, 'a reply that is no JSON')
  t.match(peelProblem('During secondary validation: DNS problem: NXDOMAIN looking up A for a.example.com'), { secondary: true, detail: 'DNS problem: NXDOMAIN looking up A for a.example.com' }, 'a bare detail, type lost')
  t.equal(peelProblem('Error presenting challenge: pods "x" is forbidden: exceeded quota'), undefined, 'Kubernetes\' words are no ACME problem')
})

t.test('several problems, sub-problems, documents', async t => {
  const two = problemsIn(`acme: authorization error for a: 403 ${urn}unauthorized: one; 400 ${urn}dns: two`)
  t.match(two.map(({ type, detail }) => `${type} ${detail}`), ['unauthorized one', 'dns two'])
  t.equal(problemsIn(`403 ${urn}unauthorized: "<p>500 ${urn}serverInternal: fake</p>"`).length, 1, 'what a web page quotes is no second problem')
  t.match(peelProblem(`403 ${urn}caa: Rechecking CAA failed; subproblems:\n\t${urn}caa: [dns: a.example.com] rechecking caa\n\t${urn}dns: [dns: b.example.com] SERVFAIL`)!.subproblems, [
    { type: 'caa', identifier: 'a.example.com', detail: 'rechecking caa' }, { type: 'dns', identifier: 'b.example.com', detail: 'SERVFAIL' }
  ])
  t.match(problemFromDocument({ type: `${urn}dns`, detail: 'During secondary validation: x', status: 400, subproblems: [{ type: `${urn}caa`, detail: 'y', identifier: { type: 'dns', value: 'a' } }] }), {
    type: 'dns', status: 400, secondary: true, detail: 'x', subproblems: [{ type: 'caa', identifier: 'a', detail: 'y' }]
  })
  for (const odd of [undefined, null, [], {}, 'x', 4, { type: 7 }]) t.equal(problemFromDocument(odd), undefined)
})

const wrappers = [
  'Error presenting challenge: ', 'Waiting for DNS-01 challenge propagation: ', '(combined from similar events): ', 'Error initializing issuer: ', 'Failed to register ACME account: ',
  'Failed to create Order: ', 'order is in "errored" state: ', 'The certificate request has failed to complete and will be retried: ', 'Error cleaning up challenge: ', 'error creating new order: '
]

t.test('wrapped in any order and depth, the core is found again', async () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...wrappers), { maxLength: 8 }), fc.constantFrom('dial tcp: no such host', `429 ${urn}rateLimited: too many certificates`, 'pods "x" is forbidden'), (around, core) => peelWrapper(around.join('') + core).core === core), { numRuns: 300 })
})

t.test('no text makes peeling throw', async () => {
  fc.assert(fc.property(fc.string({ maxLength: 400 }), fc.constantFrom(...wrappers, `403 ${urn}x: `, '; subproblems:', ''), (text, start) => {
    peelWrapper(start + text)
    problemsIn(start + text)
    return true
  }), { numRuns: 500 })
})
