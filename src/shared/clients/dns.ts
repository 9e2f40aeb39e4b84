import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { DnsAnswer, DnsFailure } from '../types/observations.ts'
import { decodeAnswer, dnsName, encodeQuery } from './dns-message.ts'
import type { Decoded, DnsQuestion } from './dns-message.ts'
import type { Destination, Route } from './route.ts'

/** An answer, or why there was none. `ms` is the time it took. No `failure`: the question was cut short, which says nothing of the server. */
type DnsReply = { ms: number } & ({ answer: DnsAnswer } | { failure?: DnsFailure, why: string })

/** Asks one name server one question. Never throws, never asks a second server. */
export interface DnsClient {
  /** `server`: address, `address:port`, `[v6]:port`, or an https URL for DNS over HTTPS. */
  ask (server: string, question: DnsQuestion, signal: AbortSignal): Promise<DnsReply>
}

export interface DnsClientOptions {
  route: Route
  /** How long one try waits, in milliseconds; a silent server costs `tries` times as much. */
  timeout: number
  tries: number
  /** Carries a message to a DNS-over-HTTPS endpoint; without it such servers are unreachable. */
  overHttps?: (url: string, message: Buffer, signal: AbortSignal) => Promise<Buffer>
}

type Outcome = Decoded | { is: 'failed', failure: DnsFailure, why: string }
type Transport = (destination: Exclude<Destination, { fails: unknown }>, message: Buffer, read: (data: Buffer) => Decoded, limit: { signal: AbortSignal, timeout: number }) => Promise<Outcome>

/** A resolver of our own: UDP, then TCP when truncated; EDNS with DO, extended errors, id and question checked. */
export function buildDnsClient (options: DnsClientOptions): DnsClient {
  return {
    async ask (server, asked, signal) {
      const began = performance.now()
      const outcome = await attempt(options, server, asked, signal)
      const ms = Math.round(performance.now() - began)
      switch (outcome.is) {
        case 'answer': return { ms, answer: outcome.answer }
        case 'failed':
          // Nobody was given the time to answer.
          if (outcome.failure === 'timeout' && signal.aborted && ms < options.timeout) return { ms, why: `${server} was not given the time to answer` }
          return { ms, failure: outcome.failure, why: outcome.why }
        case 'malformed': return { ms, failure: 'malformed', why: `${server} sent an answer that cannot be read: ${outcome.why}` }
        case 'foreign': return { ms, failure: 'malformed', why: `${server} answered another question` }
      }
    }
  }
}

async function attempt (options: DnsClientOptions, server: string, asked: DnsQuestion, signal: AbortSignal): Promise<Outcome> {
  const name = dnsName(asked.name)
  if (name === undefined) return { is: 'failed', failure: 'malformed', why: `${JSON.stringify(asked.name.slice(0, 80))} is not a name that DNS can be asked for` }
  const question = { ...asked, name }
  if (server.startsWith('https://')) return askOverHttps(options, server, question, signal)

  const { host, port } = splitServer(server)
  const destination = options.route(host, port)
  if ('fails' in destination) return { is: 'failed', failure: destination.fails, why: routeWords(server, destination.fails) }

  const exchange = async (transport: Transport, edns: boolean): Promise<Outcome> => {
    const { id, message, written } = encodeQuery(question, edns)
    return transport(destination, message, (data) => decodeAnswer(data, id, question, written), { signal, timeout: options.timeout })
  }
  let outcome: Outcome = silent(server, options.timeout)
  if (question.overTcp === true) return await exchange(overTcp, true)
  for (let count = 1; count <= options.tries && !signal.aborted; count++) {
    outcome = await exchange(overUdp, true)
    if (outcome.is !== 'failed' || outcome.failure !== 'timeout') break
  }
  // Old servers refuse EDNS itself (RFC 6891 §7): the plain question is then the honest one.
  if (outcome.is === 'answer' && !outcome.edns && ['FORMERR', 'NOTIMP'].includes(outcome.answer.rcode)) outcome = await exchange(overUdp, false)
  if (outcome.is === 'answer' && outcome.answer.rcode === 'BADVERS') outcome = await exchange(overUdp, false)
  if ((outcome.is === 'answer' && outcome.truncated) || outcome.is === 'malformed') {
    const overStream = await exchange(overTcp, true)
    // A truncated answer beats none; a malformed one does not.
    if (overStream.is === 'answer') return overStream
    if (outcome.is === 'answer' && outcome.answer.answers.length === 0) return overStream.is === 'failed' ? { ...overStream, why: `${server} truncated its answer and TCP failed: ${overStream.why}` } : overStream
  }
  return outcome.is === 'failed' && outcome.failure === 'timeout' ? silent(server, options.timeout * options.tries) : outcome
}

/**
 * Calls `expire` once, when the time is up or the signal goes off; returns how to call it off. An
 * order of 50 names asks a thousand questions: AbortSignal.any for each costs more than the questions.
 */
function expiring ({ signal, timeout }: { signal: AbortSignal, timeout: number }, expire: () => void): () => void {
  const timer = setTimeout(expire, timeout)
  signal.addEventListener('abort', expire)
  return () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', expire)
  }
}

const overUdp: Transport = (destination, message, read, limit) => new Promise((resolve) => {
  const socket = createSocket(isIPv6(destination.host) ? 'udp6' : 'udp4')
  let garbage: Outcome | undefined
  let settled = false
  const settle = (outcome: Outcome): void => {
    if (settled) return
    settled = true
    callOff()
    socket.close()
    resolve(outcome)
  }
  const expire = (): void => settle(garbage ?? silent(destination.host))
  const callOff = expiring(limit, expire)
  if (limit.signal.aborted) return expire()
  socket.on('error', (error) => settle(fromError(error)))
  socket.on('message', (data) => {
    const decoded = read(data)
    // Another id or question is a late or forged packet: keep listening for the real one.
    if (decoded.is === 'answer' || (decoded.is === 'malformed' && data.length >= 12)) settle(decoded)
    else garbage = decoded
  })
  // Connected: the kernel drops packets from any other source, and an ICMP refusal becomes an error.
  socket.connect(destination.port, destination.host, (failed?: Error) => {
    if (failed) settle(fromError(failed))
    else if (!settled) socket.send(message, (error) => { if (error) settle(fromError(error)) })
  })
})

const overTcp: Transport = (destination, message, read, limit) => new Promise((resolve) => {
  const socket = connect({ host: destination.host, port: destination.port })
  let received = Buffer.alloc(0)
  const settle = (outcome: Outcome): void => {
    callOff()
    socket.destroy()
    resolve(outcome)
  }
  const expire = (): void => settle(silent(destination.host))
  const callOff = expiring(limit, expire)
  if (limit.signal.aborted) return expire()
  socket.on('error', (error) => settle(fromError(error)))
  socket.on('close', () => settle({ is: 'malformed', why: 'the TCP connection was closed before the answer was whole' }))
  socket.on('connect', () => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(message.length)
    socket.write(Buffer.concat([length, message]))
  })
  socket.on('data', (data) => {
    received = Buffer.concat([received, data])
    if (received.length < 2 || received.length < received.readUInt16BE(0) + 2) return
    settle(read(received.subarray(2, received.readUInt16BE(0) + 2)))
  })
})

async function askOverHttps (options: DnsClientOptions, url: string, question: DnsQuestion, signal: AbortSignal): Promise<Outcome> {
  if (options.overHttps === undefined) return { is: 'failed', failure: 'unreachable', why: 'DNS over HTTPS is not set up' }
  const { message } = encodeQuery(question)
  // RFC 8484 §4.1: id 0, so that caches can work.
  message.writeUInt16BE(0, 0)
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeout * options.tries)])
    return decodeAnswer(await options.overHttps(url, message, limit), 0, question)
  } catch (error) {
    return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError') ? silent(url, options.timeout * options.tries) : fromError(error)
  }
}

const silent = (server: string, ms?: number): Outcome =>
  ({ is: 'failed', failure: 'timeout', why: `no answer from ${server}${ms === undefined ? '' : ` in ${ms / 1000} s`}` })

function fromError (error: unknown): Outcome {
  const code = String((error as NodeJS.ErrnoException).code ?? '')
  const why = error instanceof Error ? error.message : code
  return { is: 'failed', failure: code === 'ECONNREFUSED' ? 'refused' : 'unreachable', why }
}

function routeWords (server: string, failure: DnsFailure): string {
  switch (failure) {
    case 'timeout': return `no answer from ${server}`
    case 'refused': return `${server} refuses port 53`
    case 'not-recorded': return `nothing is recorded of ${server}`
    default: return `${server} cannot be reached`
  }
}

/** `1.1.1.1`, `1.1.1.1:5353`, `[::1]:53`, `::1` → host and port (53 unless given). */
export function splitServer (server: string): { host: string, port: number } {
  const match = /^\[([^\]]+)\](?::(\d+))?$/.exec(server) ?? /^([^:]+):(\d+)$/.exec(server)
  return match === null ? { host: server, port: 53 } : { host: match[1]!, port: Number(match[2] ?? 53) }
}
