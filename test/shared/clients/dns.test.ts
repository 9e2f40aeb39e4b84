import * as fc from 'fast-check'
import packet from 'dns-packet'
import t from 'tap'
import { buildDnsClient, splitServer } from '../../../src/shared/clients/dns.ts'
import { decodeAnswer, dnsName, encodeQuery } from '../../../src/shared/clients/dns-message.ts'
import { dnsReply, openLab, zone } from '../../support/outside-lab.ts'
import type { DnsBehaviour } from '../../support/outside-lab.ts'

const never = new AbortController().signal
const extendedError = (code: number, text: string): packet.Answer => {
  const data = Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(text)])
  return { type: 'OPT', name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [{ code: 15, data }] } as never
}

t.test('what a name server may do to us', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const client = buildDnsClient({ route: lab.route, timeout: 150, tries: 1 })
  const many = Array.from({ length: 120 }, (_, index): packet.Answer => ({ type: 'TXT', name: 'x.example', data: [`value ${index} ${'-'.repeat(60)}`] }))
  const behaviours: Record<string, { behaviour: DnsBehaviour, expect: object, type?: 'A' | 'TXT' }> = {
    'answers with an address': { behaviour: zone({ 'x.example A': ['203.0.113.1'] }), expect: { answer: { rcode: 'NOERROR', answers: [{ name: 'x.example', type: 'A', data: '203.0.113.1' }] } } },
    'follows a CNAME chain in one answer': { behaviour: zone({ 'x.example CNAME': ['y.example'], 'y.example A': ['203.0.113.2'] }), expect: { answer: { answers: [{ type: 'CNAME', data: 'y.example' }, { type: 'A', name: 'y.example' }] } } },
    'says NXDOMAIN': { behaviour: zone({ 'other.test A': ['203.0.113.1'] }), expect: { answer: { rcode: 'NXDOMAIN', answers: [] } } },
    'adds an extended error': { behaviour: (query) => dnsReply(query, [], { rcode: 2, additionals: [extendedError(6, 'signature expired')] }), expect: { answer: { rcode: 'SERVFAIL', ede: { code: 6, text: 'signature expired' } } } },
    'truncates on UDP and answers on TCP': { behaviour: (query, over) => over === 'tcp' ? dnsReply(query, many) : dnsReply(query, [], { flags: packet.TRUNCATED_RESPONSE }), type: 'TXT', expect: { answer: { answers: { length: 120 } } } },
    'truncates, and TCP is shut': { behaviour: (query, over) => over === 'tcp' ? undefined : dnsReply(query, [], { flags: packet.TRUNCATED_RESPONSE }), type: 'TXT', expect: { failure: 'timeout' } },
    'is silent': { behaviour: () => undefined, expect: { failure: 'timeout' } },
    'answers with another id first': { behaviour: (query) => [dnsReply({ ...query, id: (query.id! + 1) % 65_536 }, [{ type: 'A', name: 'x.example', data: '198.51.100.66' }]), dnsReply(query, [{ type: 'A', name: 'x.example', data: '203.0.113.3' }])], expect: { answer: { answers: [{ data: '203.0.113.3' }] } } },
    'answers another question only': { behaviour: (query) => dnsReply({ ...query, questions: [{ type: 'A', name: 'evil.example' }] }, [{ type: 'A', name: 'evil.example', data: '198.51.100.66' }]), expect: { failure: 'malformed' } },
    'sends bytes that are no DNS': { behaviour: () => Buffer.from('hello'), expect: { failure: 'malformed' } },
    'sends our id and garbage': { behaviour: (query) => Buffer.concat([dnsReply(query, []).subarray(0, 4), Buffer.alloc(40, 0xff)]), expect: { failure: 'malformed' } },
    'points a name at itself': {
      behaviour: (query) => {
        const message = dnsReply(query, [{ type: 'CNAME', name: 'x.example', data: 'x.example' }])
        message.writeUInt16BE(0xc000 | (message.length - 2), message.length - 2)
        return message
      },
      expect: { failure: 'malformed' }
    },
    'chokes on EDNS': { behaviour: (query) => query.additionals!.length > 0 ? dnsReply(query, [], { rcode: 1 }) : dnsReply(query, [{ type: 'A', name: 'x.example', data: '203.0.113.4' }]), expect: { answer: { rcode: 'NOERROR', answers: [{ data: '203.0.113.4' }] } } }
  }
  let last = 0
  for (const [title, { behaviour, expect, type = 'A' }] of Object.entries(behaviours)) {
    const address = `192.0.2.${++last}`
    await lab.dns(address, behaviour)
    t.match(await client.ask(address, { name: 'X.example.', type }, never), expect, title)
  }
})

t.test('what the route says is what happened', async (t) => {
  for (const fails of ['timeout', 'refused', 'unreachable', 'not-recorded'] as const) {
    const client = buildDnsClient({ route: () => ({ fails }), timeout: 100, tries: 2 })
    t.match(await client.ask('192.0.2.1', { name: 'x.example', type: 'A' }, never), { failure: fails })
  }
})

t.test('a closed port is a refusal', async (t) => {
  const client = buildDnsClient({ route: () => ({ host: '127.0.0.1', port: 1 }), timeout: 500, tries: 1 })
  t.match(await client.ask('192.0.2.1', { name: 'x.example', type: 'A' }, never), { failure: 'refused' })
})

t.test('the flags of a question reach the server', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const seen: packet.DecodedPacket[] = []
  await lab.dns('192.0.2.1', (query) => { seen.push(query); return dnsReply(query, []) })
  const client = buildDnsClient({ route: lab.route, timeout: 500, tries: 1 })
  await client.ask('192.0.2.1', { name: 'a.example', type: 'CAA' }, never)
  await client.ask('192.0.2.1', { name: 'a.example', type: 'CAA', recursion: false, checkingDisabled: true }, never)
  t.match(seen[0], { flag_rd: true, flag_cd: false, additionals: [{ type: 'OPT', udpPayloadSize: 1232, flag_do: true }] })
  t.match(seen[1], { flag_rd: false, flag_cd: true })
})

t.test('an aborted question is over at once', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await lab.dns('192.0.2.1', () => undefined)
  const client = buildDnsClient({ route: lab.route, timeout: 60_000, tries: 5 })
  const stop = new AbortController()
  const asked = client.ask('192.0.2.1', { name: 'a.example', type: 'A' }, stop.signal)
  setImmediate(() => stop.abort())
  t.match(await asked, { failure: undefined, why: /not given the time/ }, 'and says nothing of the server')
})

t.test('500 questions at a time are all answered', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await lab.dns('192.0.2.1', (query) => dnsReply(query, [{ type: 'TXT', name: query.questions![0]!.name, data: [query.questions![0]!.name] }]))
  const client = buildDnsClient({ route: lab.route, timeout: 5000, tries: 2 })
  const replies = await Promise.all(Array.from({ length: 500 }, (_, index) => client.ask('192.0.2.1', { name: `n${index}.example`, type: 'TXT' }, never)))
  t.equal(replies.filter((reply, index) => 'answer' in reply && reply.answer.answers[0]!.data === `n${index}.example`).length, 500)
})

t.test('names that DNS cannot be asked for are refused before they are sent', (t) => {
  const refused = ['', '.', 'a..b', '-'.repeat(64) + '.example', 'a b.example', 'x/../y', 'user@host', `${'a.'.repeat(130)}b`, 'a\\b.example', 'a:53']
  for (const name of refused) t.equal(dnsName(name), undefined, JSON.stringify(name.slice(0, 30)))
  t.equal(dnsName('_ACME-challenge.Shop.Example.com.'), '_acme-challenge.shop.example.com')
  t.equal(dnsName('bücher.example'), 'xn--bcher-kva.example')
  t.end()
})

t.test('servers are written in four ways', (t) => {
  t.strictSame(['1.1.1.1', '1.1.1.1:5353', '[::1]:54', '2001:db8::1'].map(splitServer), [{ host: '1.1.1.1', port: 53 }, { host: '1.1.1.1', port: 5353 }, { host: '::1', port: 54 }, { host: '2001:db8::1', port: 53 }])
  t.end()
})

t.test('no bytes make the decoder throw, and none but an answer to the question passes', (t) => {
  const question = { name: 'x.example', type: 'TXT' as const }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
    const { id } = encodeQuery(question)
    const decoded = decodeAnswer(Buffer.from(bytes), id, question)
    return ['answer', 'foreign', 'malformed'].includes(decoded.is)
  }), { numRuns: 300 })
  // A good answer with some bytes turned over reaches deeper than noise does.
  const { id, message } = encodeQuery(question)
  const good = dnsReply(packet.decode(message) as packet.DecodedPacket, [
    { type: 'TXT', name: 'x.example', data: ['v', 'w'] }, { type: 'CAA', name: 'x.example', data: { flags: 0, tag: 'issue', value: 'ca.example' } }, { type: 'CNAME', name: 'x.example', data: 'y.example' }
  ])
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(good.length), (changes, cut) => {
    const bent = Buffer.from(good)
    for (const [at, byte] of changes) bent[at] = byte
    const decoded = decodeAnswer(bent.subarray(0, cut), id, question)
    // What passes is printable: other people's text goes into pages and logs.
    // oxlint-disable-next-line no-control-regex
    return decoded.is !== 'answer' || !/[\u0000-\u001f]/.test(JSON.stringify(decoded.answer.answers.map((record) => record.data)).replaceAll('\\\\', ''))
  }), { numRuns: 500 })
  t.end()
})

t.test('asked strictly, over TCP and in mixed case, a server shows whether it repeats the letters', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const seen: string[] = []
  const repeat = (change: (name: string) => string): Parameters<typeof lab.dns>[1] => (query, over) => {
    const { name } = query.questions![0]!
    seen.push(`${over} ${name}`)
    return dnsReply({ ...query, questions: [{ type: 'A', name: change(name) }] }, [])
  }
  await lab.dns('192.0.2.1', repeat((name) => name))
  await lab.dns('192.0.2.2', repeat((name) => name.toLowerCase()))
  const client = buildDnsClient({ route: lab.route, timeout: 1000, tries: 1 })
  const name = 'a-long-name-in-which-some-letter-is-upper-case.example'
  const ask = (server: string) => client.ask(server, { name, type: 'A', overTcp: true }, never)
  t.match(await ask('192.0.2.1'), { answer: { rcode: 'NOERROR', caseChanged: undefined } })
  t.match(await ask('192.0.2.2'), { answer: { rcode: 'NOERROR', caseChanged: true } })
  t.match(seen, [/^tcp .*[A-Z]/, /^tcp .*[A-Z]/])
})
