import { fork } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { BenchOptions, Row, Section } from './measure.ts'
import { markdown, table } from './table.ts'

/**
 * `npm run bench -- [section…] [--json] [--markdown] [--set name=number …]`: the speed of this
 * program on this machine. Everything listens on loopback, stops by itself, and is our own code.
 */
const files = ['intake', 'alert', 'storm', 'replay', 'logs', 'cluster', 'recorder', 'outside', 'write-back']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, markdown: { type: 'boolean', default: false }, set: { type: 'string', multiple: true, default: [] }, inside: { type: 'boolean', default: false } }
})
const unknown = positionals.filter(name => !files.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`no such section: ${unknown.join(', ')}; there are ${files.join(', ')}\n`)
  process.exit(2)
}

interface Measured { name: string, title: string, seconds: number, rows: Row[], failed?: string }

if (values.inside) process.send!(await measure(positionals[0]!))
else await all()

async function all (): Promise<void> {
  const say = (text: string): void => { if (!values.json) process.stdout.write(text) }
  const machine = { node: process.version, processors: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`, at: new Date().toISOString() }
  say(`acme-triage bench · Node ${machine.node} · ${machine.processors} · ${machine.at}\n`)
  const results: Measured[] = []
  for (const name of positionals.length > 0 ? positionals : files) {
    const result = await apart(name)
    results.push(result)
    say(values.markdown ? `\n${markdown(result.title, result.rows)}` : `\n${table(result.title, result.rows)}`)
    say(result.failed === undefined ? `  (${result.seconds} s)\n` : `  failed: ${result.failed}\n`)
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ ...machine, sections: results }, null, 2)}\n`)
  process.exitCode = results.some(({ failed }) => failed !== undefined) ? 1 : 0
}

/** Each section in a process of its own: memory and compiled code of one must not colour the next. */
function apart (name: string): Promise<Measured> {
  const began = performance.now()
  return new Promise(resolve => {
    const set = values.set.flatMap(pair => ['--set', pair])
    const child = fork(fileURLToPath(import.meta.url), [name, '--inside', ...set], { execArgv: ['--expose-gc', ...process.execArgv] })
    let result: Measured | undefined
    child.once('message', message => { result = message as Measured })
    child.once('exit', code => { resolve(result ?? { name, title: name, seconds: Math.round((performance.now() - began) / 1_000), rows: [], failed: `the section ended with ${code}` }) })
  })
}

async function measure (name: string): Promise<Measured> {
  const began = performance.now()
  const section = Object.values(await import(`./sections/${name}.ts`) as Record<string, Section>)[0]!
  const sizes = new Map(values.set.map(pair => pair.split('=', 2) as [string, string]))
  const options: BenchOptions = { number: (key, otherwise) => Number(sizes.get(key) ?? otherwise) }
  const seconds = (): number => Number(((performance.now() - began) / 1_000).toFixed(1))
  try {
    const rows = await section.run(options)
    return { name, title: section.title, seconds: seconds(), rows }
  } catch (error) {
    return { name, title: section.title, seconds: seconds(), rows: [], failed: (error as Error).stack ?? String(error) }
  }
}
