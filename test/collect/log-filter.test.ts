import t from 'tap'
import { LogFilter, narrow, type FilteredLog, type LogFilterOptions } from '../../src/collect/log-filter.ts'

const stamp = (second: number): string => new Date(Date.parse('2026-11-24T10:00:00Z') + second * 1000).toISOString().replace('Z', '123456Z')
const line = (second: number, text: string): string => `${stamp(second)} ${text}`
const info = (text: string): string => `I1124 10:00:00.000000       1 sync.go:1] ${text}`
const error = (text: string): string => `E1124 10:00:00.000000       1 sync.go:1] ${text}`

function filter (lines: string[], options: Partial<LogFilterOptions> = {}, chunk = 7): FilteredLog {
  const log = Buffer.from(`${lines.join('\n')}\n`)
  const own = new LogFilter({ needles: ['web-tls', 'shop.example.com'], ...options })
  for (let at = 0; at < log.length; at += chunk) own.write(log.subarray(at, at + chunk))
  return own.finish()
}

t.test('errors, the subject and the start are kept, whatever the pieces the log comes in', t => {
  const lines = [
    info('"starting cert-manager controller" version="v1.21.1"'), info('"found one existing HTTP01 solver pod" resource_name="docs-tls"'), info('"found" resource_name="web-tls-1-22"'),
    error('"re-queuing item due to error processing" err="boom ü"'), '{"ts":1,"msg":"x","err":"y"}', '{"ts":1,"msg":"x","v":2}', '{"ts":1,"msg":"x","v":2,"dnsName":"shop.example.com"}'
  ].map((text, index) => line(index, text))
  for (const chunk of [1, 7, 64, 100_000]) {
    const { lines: kept, droppedLines } = filter(lines, {}, chunk)
    t.same(kept.map(({ text }) => text.slice(0, 60)), [0, 2, 3, 4, 6].map(index => lines[index]!.slice(stamp(0).length + 1).slice(0, 60)), `pieces of ${chunk} bytes`)
    t.equal(droppedLines, 2)
    t.equal(kept[0]?.time, Date.parse('2026-11-24T10:00:00Z'))
  }
  t.end()
})

t.test('what stands where one piece of the scan ends and the next begins is found as well', t => {
  const quiet = info('"nothing of interest"')
  const wanted = [error('"boom"'), '{"msg":"x","err":"y"}', info('"found" resource_name="web-tls"'), 'panic: runtime error']
  const before = Array.from({ length: 692 }, () => line(0, quiet))
  t.equal(Buffer.byteLength(`${before.join('\n')}\n`), 65_048, 'they end shortly before 64 KB')
  for (let shift = 80; shift < 520; shift += 3) {
    const lines = [...before, line(1, 'x'.repeat(shift)), ...wanted.map(text => line(2, text)), ...before]
    if (!t.same(filter(lines, {}, 1_000_000).lines.map(({ text }) => text), wanted, `moved by ${shift}`)) break
  }
  t.end()
})

t.test('a record over several lines stays whole, and ends with the next record', t => {
  const lines = [error('"failed" err=<'), '\twhile querying the Cloudflare API', '\t\t Error: 9109: Invalid access token', ' > logger="x"', info('"other" resource_name="docs"'), '\tof nobody'].map((text, index) => line(index, text))
  t.same(filter(lines).lines.map(({ text }) => text.trim().slice(0, 8)), ['E1124 10', 'while qu', 'Error: 9', '> logger'])
  t.end()
})

t.test('a hot loop is folded: first ones, last one, and how many', t => {
  const loop = Array.from({ length: 5_000 }, (_, index) => line(index / 100, error(`"re-queuing" err="pods \\"cm-acme-http-solver-${String(index).padStart(5, '0').replace(/\d/g, digit => 'abcdefghij'[Number(digit)]!)}\\" is forbidden"`)))
  const { lines, droppedLines } = filter(loop, {}, 65_536)
  t.ok(lines.length <= 8, 'few lines are left')
  t.equal(lines.at(-1)?.repeated, 4_997)
  t.match(lines.at(-1)?.text, 'aejjj', 'the last one is the last one')
  t.equal(droppedLines + lines.length, 5_000)
  t.end()
})

t.test('a line of ten megabytes is cut, not kept and not the end', t => {
  const huge = error('x'.repeat(10_000_000))
  const { lines } = filter([line(1, huge), line(2, error('after'))], {}, 65_536)
  t.equal(lines.length, 2)
  t.ok(lines[0]!.text.length <= 16_384)
  t.match(lines[1]!.text, /after$/)
  t.end()
})

t.test('over the limit, lines of others go before the subject\'s own', t => {
  const lines = Array.from({ length: 500 }, (_, index) => line(index, error(`"problem" word="${String.fromCharCode(97 + index % 26).repeat(1 + index % 50)}" of="${index % 10 === 0 ? 'web-tls' : 'docs-tls'}"`)))
  const { lines: kept, cut } = filter(lines, { maxLines: 100 }, 4_096)
  t.ok(kept.length <= 100)
  t.equal(kept.filter(({ text }) => text.includes('web-tls')).length, 50)
  t.match(cut, /kept/)
  t.end()
})

t.test('few needles find what many would', t => {
  t.same(narrow(['web-tls-1-22', 'web-tls-1', 'web-tls', 'ab']), ['web-tls'])
  t.same(narrow(Array.from({ length: 90 }, (_, index) => `www${index}.example.com`)), ['example.com'])
  t.end()
})

t.test('other programs\' complaints and a solver\'s every line are kept', t => {
  const lines = ['2026/11/24 10:00:00 http: TLS handshake error', 'level=info msg="all is well"', 'got successful challenge request']
  t.equal(filter(lines, { foreign: true }).lines.length, 1)
  t.equal(filter(lines, { all: true }).lines.length, 3)
  t.end()
})
