import * as fc from 'fast-check'
import t from 'tap'
import { buildGuard, isNeverDialled } from '../../../src/shared/clients/guard.ts'

const plain = buildGuard({ allow: [] })

t.test('public unicast passes, on the three ports', (t) => {
  for (const address of ['1.1.1.1', '8.8.8.8', '172.32.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8']) t.equal(plain.refuses(address, 80), undefined, address)
  for (const port of [53, 443]) t.equal(plain.refuses('1.1.1.1', port), undefined)
  for (const port of [0, 22, 81, 6443, 8080, 10250]) t.match(plain.refuses('1.1.1.1', port), /port \d+ is not probed/)
  t.end()
})

t.test('everything that is not the internet is refused', (t) => {
  const refused = [
    '10.0.0.1', '172.16.0.1', '192.168.1.1', '127.0.0.1', '0.0.0.0', '169.254.169.254', '100.64.0.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1',
    '::1', '::', 'fe80::1', 'fc00::1', 'fd12::1', 'ff02::1', '::ffff:10.0.0.1', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', '64:ff9b:1::a00:1', '2002:a00:1::1', '2001:db8::1', '::10.0.0.1', '2001::1',
    '168.63.129.16', '100.100.100.200',
    // Spellings that other parsers take for an address.
    '0x7f.1', '2130706433', '0177.0.0.1', '127.1', 'fe80::1%eth0', 'localhost', ''
  ]
  for (const address of refused) t.type(plain.refuses(address, 80), 'string', address)
  t.end()
})

t.test('the operator may list more, but never link-local and metadata', (t) => {
  const wide = buildGuard({ allow: ['0.0.0.0/0', '::/0', '10.1.2.3', 'not a range'] })
  t.equal(wide.refuses('10.1.2.3', 80), undefined)
  t.equal(wide.refuses('fd12::1', 443), undefined)
  for (const address of ['169.254.169.254', '::ffff:169.254.169.254', 'fe80::1', '168.63.129.16', '100.100.100.200', 'fd00:ec2::254', '0.0.0.0', 'ff02::1']) t.match(wide.refuses(address, 80), /never probed/, address)
  t.end()
})

t.test('the cluster\'s own ingress passes, its loopback does not', (t) => {
  const own = plain.owning(['10.0.0.5', 'fd12::5', '127.0.0.1', '169.254.169.254', 'garbage'])
  t.equal(own.refuses('10.0.0.5', 80), undefined)
  t.equal(own.refuses('::ffff:10.0.0.5', 80), undefined)
  t.equal(own.refuses('fd12:0::5', 80), undefined)
  for (const address of ['10.0.0.6', '127.0.0.1', '169.254.169.254']) t.type(own.refuses(address, 80), 'string', address)
  t.type(own.refuses('10.0.0.5', 6443), 'string', 'not on any port')
  t.type(plain.refuses('10.0.0.5', 80), 'string', 'the guard it came from is unchanged')
  t.end()
})

t.test('documentation addresses are public in replay only', (t) => {
  const replay = buildGuard({ allow: [], documentationIsPublic: true })
  for (const address of ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '::ffff:203.0.113.1']) {
    t.equal(replay.refuses(address, 80), undefined, address)
    t.type(plain.refuses(address, 80), 'string', address)
  }
  t.type(replay.refuses('10.0.0.1', 80), 'string')
  t.end()
})

t.test('no private address passes, however it is written', (t) => {
  const privately = fc.oneof(
    fc.tuple(fc.constantFrom(10, 127, 0), fc.nat(255), fc.nat(255), fc.nat(255)),
    fc.tuple(fc.constant(192), fc.constant(168), fc.nat(255), fc.nat(255)),
    fc.tuple(fc.constant(169), fc.constant(254), fc.nat(255), fc.nat(255)),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), fc.nat(255), fc.nat(255)),
    fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), fc.nat(255), fc.nat(255))
  )
  fc.assert(fc.property(privately, fc.nat(4), ([a, b, c, d], form) => {
    const hex = [a * 256 + b, c * 256 + d].map((part) => part.toString(16)).join(':')
    const address = [`${a}.${b}.${c}.${d}`, `::ffff:${a}.${b}.${c}.${d}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`][form]!
    return typeof plain.refuses(address, 80) === 'string'
  }))
  fc.assert(fc.property(fc.string(), (text) => typeof plain.refuses(text, 80) === 'string' || /^[\d.]+$|:/.test(text)))
  t.end()
})

t.test('what even the CA\'s client may not dial', (t) => {
  for (const address of ['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254', 'nonsense']) t.ok(isNeverDialled(address), address)
  for (const address of ['10.0.0.1', '127.0.0.1', '1.1.1.1']) t.notOk(isNeverDialled(address), address)
  t.end()
})
