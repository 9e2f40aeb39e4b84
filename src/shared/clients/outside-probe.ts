import type { SecureContext } from 'node:tls'
import { Ajv } from 'ajv'
import answerSchema from '../../../schemas/probe-answer.schema.json' with { type: 'json' }
import type { DnsLook, DnsType, HttpLook } from '../types/observations.ts'
import { ConnectError, connectFailure, open } from './http-probe-connect.ts'
import { requestOnce } from './http-probe-request.ts'
import type { Route } from './route.ts'

/** What `POST /v1/http01` answers: the looks of one name's challenge path, as the probe's own host sees it. */
export interface Http01Answer { at: number, dns: DnsLook[], http: HttpLook[] }
/** What `POST /v1/records` answers. */
export interface RecordsAnswer { at: number, dns: DnsLook[] }
/** Everything that went wrong on the way to a probe, as a sentence. */
interface ProbeRefusal { why: string, fix?: string }

/** A place outside the cluster that runs `acme-triage probe`. */
export interface OutsideProbe {
  name: string
  http01 (question: { name: string, path: string }, signal: AbortSignal): Promise<Http01Answer | ProbeRefusal>
  records (question: { name: string, types: DnsType[] }, signal: AbortSignal): Promise<RecordsAnswer | ProbeRefusal>
}

export interface OutsideProbeOptions {
  name: string
  /** Base URL, https unless the operator chose otherwise. */
  url: string
  token: string
  route: Route
  context: SecureContext
  timeout: number
  userAgent: string
}

const bodyLimit = 1_048_576
/** A probe is a machine of its own and may be anybody's by now: what it says is checked like any input. */
const isAnswer = new Ajv({ strict: false }).compile(answerSchema)

/** Talks to one configured probe. Never throws; a probe that cannot be asked says why. */
export function buildOutsideProbe (options: OutsideProbeOptions): OutsideProbe {
  const post = async <Answer>(path: string, question: unknown, signal: AbortSignal): Promise<Answer | ProbeRefusal> => {
    try {
      return await exchange(options, path, question, AbortSignal.any([signal, AbortSignal.timeout(options.timeout)])) as Answer | ProbeRefusal
    } catch (error) {
      return { why: `the outside probe ${options.name} cannot be asked: ${connectFailure(error).text}` }
    }
  }
  return {
    name: options.name,
    http01: (question, signal) => post<Http01Answer>('/v1/http01', question, signal),
    records: (question, signal) => post<RecordsAnswer>('/v1/records', question, signal)
  }
}

async function exchange (options: OutsideProbeOptions, path: string, question: unknown, signal: AbortSignal): Promise<unknown> {
  const url = new URL(path, options.url)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  const { socket, tls, nameFits } = await open({ dial: host, port, ...(secure && { tls: { servername: host, context: options.context } }) }, options.route, signal)
  if (tls !== undefined && (!tls.trusted || nameFits !== true)) {
    socket.destroy()
    throw new ConnectError('tls', `its certificate is ${tls.trusted ? 'for another name' : `not trusted (${tls.error ?? 'unknown authority'})`}`)
  }
  try {
    const response = await requestOnce(url, socket, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': options.userAgent, authorization: `Bearer ${options.token}` },
      body: JSON.stringify(question),
      limit: bodyLimit,
      signal
    })
    if (response.broken !== undefined) throw response.broken
    if (response.cut) return { why: `the outside probe ${options.name} answers more than ${bodyLimit} bytes` }
    return readAnswer(options.name, response.status, response.body.toString('utf8'))
  } finally {
    socket.destroy()
  }
}

function readAnswer (name: string, status: number, text: string): unknown {
  if (status === 401 || status === 403) return { why: `the outside probe ${name} does not accept our token`, fix: `set the token of probes.outside "${name}" to the probe's own` }
  if (status === 429 || status === 503) return { why: `the outside probe ${name} is busy (${status})` }
  let answer: unknown
  try { answer = JSON.parse(text) } catch { answer = undefined }
  if (status !== 200) {
    const message = (answer as { message?: unknown } | undefined)?.message
    return { why: `the outside probe ${name} answered ${status}${typeof message === 'string' ? `: ${message.slice(0, 200)}` : ''}` }
  }
  if (answer !== undefined && !isAnswer(answer)) return { why: `the outside probe ${name} answers in another form (is it of another version?)` }
  return answer ?? { why: `the outside probe ${name} answered something that is not JSON` }
}
