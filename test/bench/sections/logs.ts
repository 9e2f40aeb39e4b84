import { spawnSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LogFilter } from '../../../src/collect/log-filter.ts'
import { writeLog } from '../big-cluster.ts'
import { median, megabytes, memoryOf, rounded, type Row, type Section } from '../measure.ts'

/** Ten names and URLs of one order: what a diagnosis looks for in the controller's log. */
const needles = [
  'web-7-tls', 'web-7-tls-1', 'web-7-tls-1-1234567890', 'shop7.example.com', 'www.shop7.example.com', 'api.shop7.example.com', 'web-7-tls-1-1234567890-987654321',
  '/acme/order/1/77777', '/acme/authz/1/88888', '/acme/chall/1/99999'
]

/** The log filter beside ripgrep: same file, same needles, same run. */
export const logs: Section = {
  name: 'logs',
  title: 'Log filter: one controller log, ten identifiers of one order',
  async run (options) {
    const place = await mkdtemp(join(tmpdir(), 'acme-triage-bench-'))
    try {
      const file = join(place, 'controller.log')
      await writeLog(file, { failing: 20, logMegabytes: options.number('log-megabytes', 200) })
      await writeFile(join(place, 'needles'), needles.join('\n'))
      const { size } = await stat(file)
      const rounds = Array.from({ length: 3 })

      const ripgrep = rounds.flatMap(() => {
        const began = performance.now()
        const { status } = spawnSync('rg', ['--no-config', '-F', '-c', '-f', 'needles', 'controller.log'], { cwd: place, timeout: 60_000 })
        return status === 0 ? [performance.now() - began] : []
      })
      const ours: number[] = []
      let kept = 0
      for (const _ of rounds) {
        const filter = new LogFilter({ needles })
        const began = performance.now()
        for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1_024 })) filter.write(chunk as Buffer)
        kept = filter.finish().lines.length
        ours.push(performance.now() - began)
      }
      const speed = (milliseconds: number): number => megabytes(size / milliseconds * 1_000)
      const [theirs, own] = [median(ripgrep), median(ours)]
      return [
        { what: `rg -F -f, ${megabytes(size)} MB`, values: { 'MB/s': ripgrep.length === 0 ? 'not installed' : speed(theirs), more: 'counts the lines with an identifier' } },
        {
          what: 'LogFilter', values: { 'MB/s': speed(own), more: `keeps ${kept} lines: the order’s own, and errors of all, folded; RSS ${memoryOf(process.pid).now} MB` },
          ...(ripgrep.length === 0 ? {} : { aim: { text: `at least a third of ripgrep: ${rounded(theirs / own * 100, 0)} %`, met: theirs / own >= 1 / 3 } })
        }
      ] satisfies Row[]
    } finally {
      await rm(place, { recursive: true, force: true })
    }
  }
}
