import type { Millis } from '../shared/types/common.ts'
import { attemptAt, isOwnName, namesIn, ownerOfName, type Scope } from './attempt-scope.ts'
import { peelWrapper } from './acme-problem.ts'
import type { LogRecord } from './log-grammars/record.ts'
import { isNoise, isRequeue } from './log-message.ts'
import { normalise } from './normalise.ts'

/** What a log entry has to do with the attempt. */
export interface Tie {
  attempt: 'current' | 'earlier' | 'standing'
  about: string[]
  /** By an object's keys, by what the text names, by neighbours in time, or because nobody else is left. */
  by: 'keys' | 'names' | 'words' | 'neighbour' | 'fits' | 'controller'
}

/** Normalised words that objects and Events of the attempt say, and those of others; of redacted ones, how they begin. */
export interface Words { own: ReadonlyMap<string, string[]>, other: ReadonlySet<string>, ownStarts: readonly (readonly [string, string[]])[], otherStarts: readonly string[] }

/** The identifiers that a solver object of the attempt serves, or that it is somebody else's. */
export type SolverOwner = string[] | 'other'

/** By which words the built-in DNS solvers can be told. */
const providers: readonly (readonly [solver: string, words: RegExp])[] = [
  ['azureDNS', /azure|AADSTS|microsoftonline|\b(?:ManagedIdentity|WorkloadIdentity|ClientSecret)Credential\b/i], ['route53', /route ?53|operation error STS|AssumeRole|EC2 IMDS/i], ['cloudDNS', /googleapi|GoogleCloud|clouddns/i], ['cloudflare', /cloudflare/i],
  ['digitalocean', /digitalocean/i], ['rfc2136', /DNS update failed|rfc2136|TSIG/i], ['acmeDNS', /acme-?dns|account credentials not found for domain/i], ['akamai', /edgedns|akamai/i], ['webhook', /^error decoding solver config/]
]

/** Words of the whole controller: they concern every attempt that runs at that time. */
const controllerWide = /leader election (?:lost|record)|error executing command|error retrieving resource lock|Failed to watch |failed to list |the Gateway API CRDs do not seem to be present|failed calling webhook "(?:webhook|inject)\.cert-manager\.io"|conversion webhook for |(?:Order|Challenge|CertificateRequest) in version "v1" cannot be handled /

/** Ties log entries to the attempt. Entries of one pod, in order of time. */
export class LogAttribution {
  readonly #scope: Scope
  readonly #solvers = new Map<string, SolverOwner>()
  readonly #keyed = new Map<string, { time: Millis, tie: Tie | 'other', strong: boolean, requeued: boolean }[]>()
  readonly #starts = new Map<string, Millis[]>()
  readonly #words: Words
  /** When a pod said the same words without keys. */
  readonly #keyless = new Map<string, Millis[]>()
  readonly #cores = new Map<string, string>()
  readonly #otherHosts = new Set<string>()
  readonly #foreign = new Set<string>()
  #sharesNamespace = false

  constructor (scope: Scope, records: readonly LogRecord[], words: Words, solverNames: ReadonlyMap<string, SolverOwner>) {
    this.#scope = scope
    this.#words = words
    for (const [name, owner] of solverNames) this.#solvers.set(name, owner)
    for (const record of records) {
      const { fields, from, time } = record
      if (record.from.role === 'controller' && /^starting (?:cert-manager )?controller$|^Starting cert-manager controller|^starting controller$/.test(record.message) && fields.has('version') && time !== undefined) push(this.#starts, from.pod, time)
      const tie = this.#byKeys(record)
      if (tie === undefined) {
        if (time !== undefined && record.level === 'error' && record.foreign !== true) push(this.#keyless, this.#sayingOf(record), time)
        continue
      }
      const solver = fields.get('related_resource_name')
      if (solver?.startsWith('cm-acme-http-solver-') === true) this.#solvers.set(solver, tie === 'other' ? 'other' : tie.about)
      const dnsName = fields.get('dnsName')?.toLowerCase()
      if (tie === 'other' && dnsName !== undefined && !scope.names.has(dnsName)) this.#otherHosts.add(dnsName)
      if (tie === 'other' && fields.get('resource_kind') === 'Challenge' && fields.get('resource_namespace') === scope.namespace) this.#sharesNamespace = true
      if (time !== undefined) push(this.#keyed, from.pod, { time, tie, strong: record.level === 'error' || record.err !== undefined, requeued: isRequeue(record) })
    }
    for (const list of this.#keyed.values()) list.sort((a, b) => a.time - b.time)
  }

  /** Whose solver object this name was, from keyed lines and owners. */
  solverOwner (name: string): SolverOwner | undefined { return this.#solvers.get(name) }

  /** Other attempts of the same namespace ran in the log: a solver object that nobody explains may be theirs. */
  get sharesNamespace (): boolean { return this.#sharesNamespace }

  /** The tie of one entry; undefined when it has nothing to do with the attempt, or is noise. */
  tie (record: LogRecord): Tie | undefined {
    if (isNoise(record)) return undefined
    const keys = this.#byKeys(record)
    if (keys === 'other') return undefined
    if (keys !== undefined) return keys
    if (record.foreign === true || (record.level !== 'error' && record.level !== 'fatal' && record.level !== 'warning')) return undefined
    return this.#byText(record)
  }

  #byKeys ({ fields, time, from }: LogRecord): Tie | 'other' | undefined {
    const scope = this.#scope
    const name = fields.get('resource_name')
    const key = fields.get('key')
    const place = name !== undefined && name !== '' ? `${fields.get('resource_namespace') ?? ''}/${name}` : key !== undefined && key !== '' ? key : undefined
    if (place === undefined) {
      const request = fields.get('certificateRequest') ?? fields.get('certificate')
      if (request === undefined || from.role !== 'controller') return undefined
      return this.#named(request.includes('/') ? request : `${scope.namespace}/${request}`, time, [])
    }
    const kind = fields.get('resource_kind') ?? ''
    if (kind === 'Issuer' || kind === 'ClusterIssuer') return this.#issuer(kind === 'ClusterIssuer' ? name! : place, time)
    const dnsName = fields.get('dnsName')?.toLowerCase()
    const found = this.#named(place, time, dnsName !== undefined && scope.names.has(dnsName) ? [dnsName] : [])
    if (found === 'other' && kind === '' && scope.issuer !== undefined && (place === scope.issuer || place === `/${scope.issuer}`)) return this.#issuer(scope.issuer, time)
    return found
  }

  #named (place: string, time: Millis | undefined, about: string[]): Tie | 'other' {
    // Most lines are of others: what is once known to be theirs is not asked again.
    if (this.#foreign.has(place)) return 'other'
    const owner = ownerOfName(this.#scope, place, time)
    if (owner === 'other') this.#foreign.add(place)
    return owner === 'other' ? 'other' : { attempt: owner.attempt, about: owner.about.length === 0 && about.length > 0 ? about : owner.about.filter(name => isOwnName(this.#scope, name)), by: 'keys' }
  }

  /** What an issuer said before it became ready is over. */
  #issuer (place: string, time: Millis | undefined): Tie | 'other' {
    const { issuer, issuerReadySince } = this.#scope
    if (place !== issuer) return 'other'
    const over = issuerReadySince !== undefined && (time === undefined || time < issuerReadySince)
    return { attempt: over ? 'earlier' : 'standing', about: [], by: 'keys' }
  }

  #byText (record: LogRecord): Tie | undefined {
    const scope = this.#scope
    const { time } = record
    const text = record.err ?? record.message
    const attempt = attemptAt(scope, time)
    const core = this.#coreOf(text)
    const ownWords = this.#words.own.get(core) ?? this.#words.ownStarts.find(([start]) => core.startsWith(start))?.[1]
    const otherWords = this.#words.other.has(core) || this.#words.otherStarts.some(start => core.startsWith(start))
    const names = namesIn(scope, text)
    const hosts = [...text.toLowerCase().matchAll(/\/\/([a-z0-9.-]+)/g)].map(match => match[1]!)

    if (scope.urls.some(url => text.includes(url)) || [...scope.tokens].some(token => text.includes(token))) return { attempt, about: names.own, by: 'names' }
    if (names.own.length > 0) return { attempt, about: names.own, by: 'names' }
    const solver = /cm-acme-http-solver-[a-z0-9]{5}\b/.exec(text)?.[0]
    const owner = solver === undefined ? undefined : this.#solvers.get(solver)
    if (owner === 'other') return undefined
    if (owner !== undefined) return { attempt, about: owner, by: 'names' }
    const named = this.#objectsIn(text, time)
    if (named !== undefined) return named === 'other' ? undefined : named
    if (ownWords !== undefined && !otherWords) return { attempt, about: ownWords, by: 'words' }
    if (otherWords && ownWords === undefined) return undefined
    if (names.other || hosts.some(host => this.#otherHosts.has(host)) || /\/\.well-known\/acme-challenge\//.test(text)) return undefined
    if (controllerWide.test(`${record.message} ${text}`)) return { attempt: text.includes('failed calling webhook') ? attempt : 'current', about: [], by: 'controller' }

    // A line about placing an order can only be about an Order that the CA has not accepted.
    const creating = /error creating new order|ACME client for issuer not initialised/.test(text)
    if (creating && (scope.chain.orderState ?? '') !== '') return undefined
    // Names of a zone or record that nobody of the attempt has.
    if (/_acme-challenge\.[a-z0-9]|\bfor domain "?[a-z0-9_*-]+\.[a-z]/i.test(text)) return undefined
    const neighbour = this.#neighbour(record)
    if (neighbour === 'other') return undefined
    if (neighbour !== undefined) return this.#happensBeside(record) ? { attempt, about: neighbour.about, by: 'neighbour' } : undefined
    return this.#fits(text, hosts, record, creating)
  }

  /** Objects and places that Kubernetes' and cert-manager's errors name. */
  #objectsIn (text: string, time: Millis | undefined): Tie | 'other' | undefined {
    const scope = this.#scope
    for (const [, namespace, name] of text.matchAll(/\b([a-z0-9-]{1,63})\/([a-z0-9][a-z0-9.-]{2,252})\b/g)) {
      const owner = ownerOfName(scope, `${namespace}/${name}`, time)
      if (owner !== 'other') return { ...owner, about: owner.about.filter(about => isOwnName(scope, about)), by: 'names' }
    }
    // A Challenge of somebody else, by the hashes in its name.
    if (/\bchallenge [a-z0-9-]+\/[a-z0-9.-]+-\d{6,10}-\d{6,10}\b/i.test(text)) return 'other'
    for (const [, name] of text.matchAll(/"([a-z0-9][a-z0-9.-]{2,252})"/g)) {
      const owner = ownerOfName(scope, `${scope.namespace}/${name!}`, time)
      if (owner !== 'other') return { ...owner, about: owner.about.filter(about => isOwnName(scope, about)), by: 'names' }
    }
    const secret = /\b[Ss]ecrets? "([^"]+)"/.exec(text)?.[1]
    if (secret !== undefined && scope.secrets.has(secret)) return { attempt: attemptAt(scope, time), about: [], by: 'names' }
    const missing = /\b(?:cluster)?issuers?\.cert-manager\.io "([^"]+)" not found/.exec(text)?.[1]
    if (missing !== undefined) return scope.chain.issuer === undefined && missing === scope.chain.issuerRef?.name ? { attempt: attemptAt(scope, time), about: [], by: 'names' } : 'other'
    const [, quoted, place = quoted] = /\bin (?:the )?namespace:? (?:"([a-z0-9-]+)"|([a-z0-9-]+) because)/.exec(text) ?? []
    // Who leads is settled in a namespace of its own, and concerns everybody.
    if (place !== undefined && place !== scope.namespace) return /resource lock|leader election/.test(text) ? undefined : 'other'
    // A right that is missing in the namespace, or its end, concerns every attempt there.
    if (place !== undefined && /is forbidden: (?:User "|unable to create new content)/.test(text)) return { attempt: attemptAt(scope, time), about: [], by: 'names' }
    const [, asked, group = asked] = /\((?:get|post|put|create) [a-z0-9-]+\.([a-z0-9.-]+)\)|cannot create resource "[^"]+" in API group "([^"]+)" at the cluster scope/.exec(text) ?? []
    if (group !== undefined && !/cert-manager\.io$|k8s\.io$/.test(group)) return scope.webhookGroups.has(group) && !scope.ended ? { attempt: attemptAt(scope, time), about: [], by: 'names' } : 'other'
    return undefined
  }

  /** Whose keys stand next to it: a line without keys is followed or preceded by one with keys within moments. */
  #neighbour (record: LogRecord): Tie | 'other' | undefined {
    const { time, from } = record
    if (time === undefined) return undefined
    const requeued = isRequeue(record)
    const list = this.#keyed.get(from.pod)
    if (list === undefined) return undefined
    let own: { gap: Millis, tie: Tie } | undefined
    let other: Millis | undefined
    for (let index = firstAtOrAfter(list, time - 1000); index < list.length && list[index]!.time <= time + 1000; index++) {
      const entry = list[index]!
      // One failure is put back once: beside a requeue line with our key, one without is somebody else's.
      if (requeued && entry.requeued && entry.tie !== 'other') continue
      // A heartbeat weighs less than an error: it is there all the time.
      const gap = Math.abs(entry.time - time) + (entry.strong ? 0 : 20)
      if (entry.tie === 'other') other = Math.min(other ?? gap, gap)
      else if (own === undefined || gap < own.gap) own = { gap, tie: entry.tie }
    }
    if (own === undefined) return other === undefined ? undefined : 'other'
    return other !== undefined && other <= own.gap * 3 ? 'other' : own.tie
  }

  #coreOf (text: string): string {
    let core = this.#cores.get(text)
    if (core === undefined) this.#cores.set(text, core = normalise(peelWrapper(text).core))
    return core
  }

  #sayingOf ({ err, message, from }: LogRecord): string { return `${from.pod}\n${this.#coreOf(err ?? message)}` }

  /** Does it keep coming beside the attempt's lines? Heartbeats are everywhere: one meeting of many may be chance. */
  #happensBeside (record: LogRecord): boolean {
    const { start, end } = this.#scope
    const times = (this.#keyless.get(this.#sayingOf(record)) ?? []).filter(time => time >= start && time < end)
    if (times.length < 3) return true
    const beside = times.filter(time => { const found = this.#neighbour({ ...record, time }); return found !== undefined && found !== 'other' })
    return beside.length * 2 >= times.length
  }

  /** A line that names nothing counts only for an attempt in the right state at that time. */
  #fits (text: string, hosts: readonly string[], record: LogRecord, creating: boolean): Tie | undefined {
    const scope = this.#scope
    const { time, from } = record
    const attempt = attemptAt(scope, time)
    // The words of a DNS provider that nobody else is asking at the moment.
    if (attempt === 'current' && scope.start > 0 && record.err !== undefined && providers.some(([solver, words]) => scope.aloneWith.has(solver) && words.test(text))) return { attempt, about: [], by: 'fits' }
    if (scope.refused && /webhook\.cert-manager\.io" denied the request: spec\./.test(text)) return { attempt, about: [], by: 'fits' }
    const keystore = /\b(?:jks|pkcs12)\b/.exec(text.toLowerCase())?.[0]
    if (keystore !== undefined && scope.keystores.has(keystore)) return { attempt, about: [], by: 'fits' }
    const aboutCa = scope.acmeHost !== undefined && (hosts.includes(scope.acmeHost) || text.includes(` ${scope.acmeHost} `))
    if (hosts.length > 0 && !aboutCa) return undefined
    const burst = (this.#starts.get(from.pod) ?? []).some(start => time !== undefined && time >= start && time - start < 90_000)
    if (creating) return !burst && attempt === 'current' && scope.chain.orderName !== undefined ? { attempt, about: [], by: 'fits' } : undefined
    if (aboutCa) return scope.chain.orderState === 'valid' || attempt !== 'current' ? undefined : { attempt, about: [], by: 'fits' }
    // A provider's words that name nothing: whose else, when no other Challenge waits?
    return scope.alone && attempt === 'current' && !burst && scope.start > 0 && record.err !== undefined && !/finalizing order|issuer/.test(text) ? { attempt, about: [], by: 'fits' } : undefined
  }
}

function firstAtOrAfter (list: readonly { time: Millis }[], time: Millis): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]!.time < time) low = middle + 1
    else high = middle
  }
  return low
}

function push<V> (map: Map<string, V[]>, key: string, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
