import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { CaseError } from './case-error.ts'
import { parseCaseDocuments, parseCaseJson, parseCaseYaml, type CasePart } from './case-yaml.ts'

/** How the API falls short. `resource` may be `*`; without a group any group is meant. */
export interface Refusal { resource: string, group?: string, namespace?: string, status?: number }

export interface RecordRow { name: string, type?: string, answer: string[], ttl?: number, rcode?: string, ede?: number, text?: string, timeout: boolean }
/** `resolvers` by `cluster`, `public`, name or address of a server; `outside` by place. */
interface DnsFile { resolvers: Map<string, RecordRow[]>, outside: Map<string, RecordRow[]> }

type HeaderValues = Record<string, string | string[]>
export interface RequestRow { host?: string, path?: string, status: number, headers: HeaderValues, body: string }
type Behaviour = 'refuse' | 'timeout' | 'reset' | 'close' | 'tls-alert'
export interface TlsRow { names?: string[], notBefore?: Millis, notAfter?: Millis, issuer?: string, selfSigned: boolean }
export interface EndpointRow { address: string, port: number, from?: string[], behaviour?: Behaviour, requests: RequestRow[], tls?: TlsRow }

export interface AcmeAnswer { status: number, body: string, headers: HeaderValues }
/** `get` by full URL. */
interface AcmeFile { directory?: string, get: Map<string, AcmeAnswer> }

/** A case directory as values. What is absent could not be seen. */
export interface CaseDirectory {
  path: string
  id: string
  title: string
  source: string
  now: Millis
  kubernetes: string
  certManager?: string
  clusterResourceNamespace?: string
  api: { forbidden: Refusal[], missing: string[], failing: Refusal[], unreachable: boolean, latencyMs: number }
  /** Webhook bodies as Alertmanager posted them, in order; never empty. */
  alerts: AlertBody[]
  objects: KubeObject[]
  /** Files by `namespace/pod/container` (`….previous` for the container before). */
  logs: Map<string, string>
  dns?: DnsFile
  http?: EndpointRow[]
  acme?: AcmeFile
}

/** The parts of a webhook body that replay needs; the rest is there, too. */
interface AlertBody {
  alerts: { status?: string, labels: Record<string, string>, annotations?: Record<string, string>, startsAt?: string, endsAt?: string, generatorURL?: string, fingerprint?: string }[]
  [field: string]: unknown
}

/** The right diagnosis of a case. Replay never reads it; accuracy and tests do. */
export interface Expectation { verdict: 'cause' | 'unknown', causes: string[], variant?: string, also: string[], domains: string[], because: string }

/** Reads and checks a case directory; rejects with CaseError. */
export async function readCaseDirectory (path: string): Promise<CaseDirectory> {
  const head = await readYaml(path, 'case.yaml', 'case')
  if (head === undefined) throw new CaseError('CASE_MISSING', join(path, 'case.yaml'), 'there is no such file')
  const [alerts, objects, logs, dns, http, acme] = await Promise.all([
    readAlerts(path), readObjects(path), listLogs(path),
    readYaml(path, 'dns.yaml', 'dns'), readYaml(path, 'http.yaml', 'http'), readYaml(path, 'acme.yaml', 'acme')
  ])
  const { id, title, source, now, kubernetes, certManager, clusterResourceNamespace, api } = head as RawCase
  return {
    path,
    id: String(id ?? ''),
    title: String(title ?? ''),
    source: String(source ?? ''),
    now: Date.parse(now),
    kubernetes: String(kubernetes ?? 'v1.34.0'),
    ...optional('certManager', certManager === undefined ? undefined : String(certManager)),
    ...optional('clusterResourceNamespace', clusterResourceNamespace),
    api: {
      forbidden: (api?.forbidden ?? []).map(toRefusal),
      missing: api?.missing ?? [],
      failing: (api?.failing ?? []).map(toRefusal),
      unreachable: api?.unreachable ?? false,
      latencyMs: api?.latencyMs ?? 0
    },
    alerts,
    objects,
    logs,
    ...(dns === undefined ? {} : { dns: toDns(dns as RawDns) }),
    ...(http === undefined ? {} : { http: (((http as RawHttp | null)?.endpoints) ?? []).map(toEndpoint) }),
    ...(acme === undefined ? {} : { acme: toAcme(acme as RawAcme) })
  }
}

/** Reads expect.yaml; undefined when the case has none. */
export async function readExpectation (path: string): Promise<Expectation | undefined> {
  const value = await readYaml(path, 'expect.yaml', 'expect') as Partial<Expectation> | undefined
  if (value === undefined) return undefined
  return {
    verdict: value.verdict ?? 'unknown',
    causes: value.causes ?? [],
    ...optional('variant', value.variant),
    also: value.also ?? [],
    domains: value.domains ?? [],
    because: String(value.because ?? '')
  }
}

type Scalar = string | number | boolean
type Nullable<T> = { [K in keyof T]?: T[K] | null }
interface RawCase {
  id?: Scalar, title?: Scalar, source?: Scalar, now: string, kubernetes?: Scalar, certManager?: Scalar, clusterResourceNamespace?: string | null
  api?: Nullable<{ forbidden: RawRefusal[], missing: string[], failing: RawRefusal[], unreachable: boolean, latencyMs: number }> | null
}
interface RawRefusal { resource: string, group?: string | null, namespace?: string | null, status?: number }
interface RawRecord { name: Scalar, type?: string, answer?: Scalar[] | Scalar | null, ttl?: number, rcode?: string, ede?: number, text?: Scalar, timeout?: boolean }
type RawViews = Record<string, RawRecord[] | null> | null
type RawDns = { resolvers?: RawViews, outside?: RawViews } | null
type RawHeaders = Record<string, Scalar | Scalar[]> | null
interface RawRequest { host?: Scalar, path?: Scalar, status?: number, headers?: RawHeaders, body?: unknown }
interface RawEndpoint {
  to: string, from?: string[] | string | null, behaviour?: Behaviour | null, requests?: RawRequest[] | null
  tls?: Nullable<{ names: Scalar[], notBefore: string, notAfter: string, issuer: Scalar, selfSigned: boolean }> | null
}
type RawHttp = { endpoints?: RawEndpoint[] | null }
type RawAcme = { directory?: string, get?: Record<string, { status?: number, body?: unknown, headers?: RawHeaders } | null> | null } | null

async function readYaml (path: string, name: string, part: CasePart): Promise<unknown> {
  const text = await readText(join(path, name))
  return text === undefined ? undefined : parseCaseYaml(join(path, name), text, part)
}

async function readText (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new CaseError('CASE_MISSING', file, `cannot be read (${code})`, { cause: error })
  }
}

async function readAlerts (path: string): Promise<AlertBody[]> {
  const directory = join(path, 'alerts')
  const names = await readdir(directory).catch(() => [] as string[])
  const files = names.filter((name) => /^\d+\.json$/.test(name)).toSorted((one, other) => Number.parseInt(one) - Number.parseInt(other))
  if (files.length === 0) throw new CaseError('CASE_MISSING', join(directory, '01.json'), 'there is no such file')
  return Promise.all(files.map(async (name) => parseCaseJson(join(directory, name), await readText(join(directory, name)) ?? '') as AlertBody))
}

async function readObjects (path: string): Promise<KubeObject[]> {
  const file = join(path, 'objects.yaml')
  const text = await readText(file)
  if (text === undefined) return []
  return parseCaseDocuments(file, text).flatMap(unwrapList).flatMap((value) => toObject(value) ?? [])
}

/** `kubectl get -o yaml` writes a List; its items are the objects. */
function unwrapList (value: unknown): unknown[] {
  const { kind, items, apiVersion } = Object(value) as { kind?: unknown, items?: unknown, apiVersion?: unknown }
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [value]
  const item = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -4) }
  return items.map((each: unknown) => ({ ...item, ...Object(each) as object }))
}

/** An API never answers an object without name, uid and resourceVersion; a document without a kind is none. */
function toObject (value: unknown): KubeObject | undefined {
  const object = Object(value) as Partial<KubeObject>
  if (typeof object.kind !== 'string' || object.kind === '' || typeof object.apiVersion !== 'string') return undefined
  const metadata = Object(object.metadata) as Partial<KubeObject['metadata']>
  const { name: given, namespace } = metadata
  if (given === undefined || given === null || given === '') return undefined
  const name = String(given)
  const uid = metadata.uid ?? madeUp(`${object.apiVersion} ${object.kind} ${namespace ?? ''} ${name}`)
  return { ...object, apiVersion: object.apiVersion, kind: object.kind, metadata: { ...metadata, name, ...optional('namespace', namespace), uid: String(uid), resourceVersion: String(metadata.resourceVersion ?? 1) } }
}

const madeUp = (text: string): string => createHash('sha256').update(text).digest('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')

async function listLogs (path: string): Promise<Map<string, string>> {
  const directory = join(path, 'logs')
  const names = await readdir(directory, { recursive: true }).catch(() => [] as string[])
  const files = names.map((name) => name.split(/[\\/]/)).filter((parts) => parts.length === 3 && parts[2]!.endsWith('.log'))
  return new Map(files.map((parts) => [parts.join('/').slice(0, -'.log'.length), join(directory, ...parts)]))
}

function toRefusal ({ resource, group, namespace, status }: RawRefusal): Refusal {
  return { resource, ...optional('group', group), ...optional('namespace', namespace), ...optional('status', status) }
}

function toDns (dns: RawDns): DnsFile {
  const views = (raw: RawViews | undefined): Map<string, RecordRow[]> =>
    new Map(Object.entries(raw ?? {}).map(([name, rows]) => [plainName(name), (rows ?? []).map(toRecord)]))
  return { resolvers: views(dns?.resolvers), outside: views(dns?.outside) }
}

/** Names compare without regard to case and final dot. */
export const plainName = (name: string): string => name.toLowerCase().replace(/(?<=.)\.$/, '')

function toRecord ({ name, type, answer, ttl, rcode, ede, text, timeout }: RawRecord): RecordRow {
  const answers = answer === undefined || answer === null ? [] : Array.isArray(answer) ? answer : [answer]
  return {
    name: plainName(String(name)),
    ...optional('type', type?.toUpperCase()),
    answer: answers.map(String),
    ...optional('ttl', ttl),
    ...optional('rcode', rcode?.toUpperCase()),
    ...optional('ede', ede),
    ...optional('text', text === undefined ? undefined : String(text)),
    timeout: timeout ?? false
  }
}

function toEndpoint ({ to, from, behaviour, requests, tls }: RawEndpoint): EndpointRow {
  const colon = to.lastIndexOf(':')
  return {
    address: plainName(to.slice(0, colon).replace(/^\[|\]$/g, '')),
    port: Number(to.slice(colon + 1)),
    ...optional('from', typeof from === 'string' ? [from] : from),
    ...optional('behaviour', behaviour),
    requests: (requests ?? []).map(toRequest),
    ...(tls === undefined || tls === null ? {} : {
      tls: {
        ...optional('names', tls.names?.map(String)),
        ...optional('notBefore', tls.notBefore && Date.parse(tls.notBefore)),
        ...optional('notAfter', tls.notAfter && Date.parse(tls.notAfter)),
        ...optional('issuer', tls.issuer === undefined || tls.issuer === null ? undefined : String(tls.issuer)),
        selfSigned: tls.selfSigned ?? false
      }
    })
  }
}

function toRequest ({ host, path, status, headers, body }: RawRequest): RequestRow {
  return {
    ...optional('host', host === undefined ? undefined : plainName(String(host)).replace(/:\d+$/, '')),
    ...optional('path', path === undefined ? undefined : String(path)),
    status: status ?? 200,
    headers: toHeaders(headers),
    body: toBody(body)
  }
}

function toHeaders (headers: RawHeaders | undefined): HeaderValues {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]))
}

const toBody = (body: unknown): string => body === undefined || body === null ? '' : typeof body === 'object' ? JSON.stringify(body) : String(body as Scalar)

function toAcme (acme: RawAcme): AcmeFile {
  return {
    ...optional('directory', acme?.directory),
    get: new Map(Object.entries(acme?.get ?? {}).map(([url, answer]) => {
      const body = answer?.body
      const headers = toHeaders(answer?.headers)
      const typed = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')
      const type = typeof body === 'object' && body !== null ? (answer?.status ?? 200) >= 400 ? 'application/problem+json' : 'application/json' : 'text/html; charset=utf-8'
      return [new URL(url).href, { status: answer?.status ?? 200, body: toBody(body), headers: typed ? headers : { ...headers, 'content-type': type } }]
    }))
  }
}

function optional<K extends string, V> (key: K, value: V | null | undefined | ''): { [P in K]?: V } {
  return value === undefined || value === null || value === '' ? {} : { [key]: value } as { [P in K]: V }
}
