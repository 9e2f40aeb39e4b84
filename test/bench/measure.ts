import { fork, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One section's result: rows of what was measured, as people read them and as numbers. */
export interface Row {
  what: string
  /** Number or text; a unit stands in the column's name. */
  values: Record<string, number | string>
  /** What was aimed at, and whether it was reached. */
  aim?: { text: string, met: boolean }
}

/** Sizes that a section may be given on the command line. */
export interface BenchOptions { number (name: string, otherwise: number): number }

export interface Section {
  name: string
  title: string
  run (options: BenchOptions): Promise<Row[]>
}

/** The value below which `share` of the sorted numbers lie. */
export function percentile (numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (numbers: readonly number[]): number => percentile(numbers, 0.5)
export const rounded = (value: number, digits = 1): number => Number(value.toFixed(digits))
export const megabytes = (bytes: number): number => rounded(bytes / 1_000_000)

/** p50, p99 and the worst of some milliseconds. */
export function spread (milliseconds: readonly number[]): { p50: number, p99: number, max: number } {
  return { p50: rounded(percentile(milliseconds, 0.5), 2), p99: rounded(percentile(milliseconds, 0.99), 2), max: rounded(Math.max(...milliseconds)) }
}

/** Resident memory of a process in MB, now and at its highest. Linux only, as the product. */
export function memoryOf (pid: number): { now: number, peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (field: string): number => rounded(Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024)
  return { now: read('VmRSS'), peak: read('VmHWM') }
}

/** Milliseconds of processor time that a process has used. */
export function processorOf (pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export interface Helper<Ready> {
  pid: number
  ready: Ready
  /** Sends a question and waits for its answer. */
  ask<Answer> (question: Record<string, unknown>): Promise<Answer>
  stop (): Promise<void>
}

/** Starts a program of this folder and waits until it says what it is ready with. */
export async function startHelper<Ready> (file: string, settings: Record<string, unknown>, { env = {} }: { env?: Record<string, string> } = {}): Promise<Helper<Ready>> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(settings)], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ready = await next<Ready>(child, file)
  return {
    pid: child.pid!,
    ready,
    ask (question) {
      child.send(question)
      return next(child, file)
    },
    stop: () => new Promise(resolve => {
      if (child.exitCode !== null) return resolve()
      const late = setTimeout(() => { child.kill('SIGKILL') }, 5_000)
      child.once('exit', () => {
        clearTimeout(late)
        resolve()
      })
      child.kill('SIGTERM')
    })
  }
}

function next<Answer> (child: ChildProcess, file: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const answered = (message: unknown): void => {
      child.off('exit', ended)
      resolve(message as Answer)
    }
    const ended = (code: number | null): void => {
      child.off('message', answered)
      reject(new Error(`${file} ended with ${code} before it answered`))
    }
    child.once('message', answered)
    child.once('exit', ended)
  })
}

export const pause = (milliseconds: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, milliseconds) })

/** Waits until the condition holds, looked at now and then; false when it did not in time. */
export async function waitFor (condition: () => boolean | Promise<boolean>, atMost: number, every = 20): Promise<boolean> {
  for (const until = performance.now() + atMost; performance.now() < until;) {
    if (await condition()) return true
    await pause(every)
  }
  return condition()
}
