import { readFileSync } from 'node:fs'

/**
 * Preloaded into the service (`--import …/shifted-clock.ts?file=/a/path`): its clock is wrong by as
 * many milliseconds as stand in the file, and changes when they do.
 */
const file = new URL(import.meta.url).searchParams.get('file') ?? ''
const real = Date.now
let shift = 0

function look (): void {
  try {
    shift = Number(readFileSync(file, 'utf8')) || 0
  } catch {
    shift = 0
  }
}

look()
setInterval(look, 20).unref()
const shifted = (): number => real() + shift
globalThis.Date = new Proxy(Date, {
  construct: (target, values, newTarget) => Reflect.construct(target, values.length === 0 ? [shifted()] : values, newTarget) as Date,
  get: (target, key, receiver) => key === 'now' ? shifted : Reflect.get(target, key, receiver) as unknown
})
