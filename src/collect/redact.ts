import { createHash } from 'node:crypto'
import { adler32 } from '../shared/adler32.ts'
import { redactText } from '../shared/redact.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { Observations } from '../shared/types/observations.ts'
import { at, list, text } from './fields.ts'

export interface RedactOptions {
  /** Names in place of secrets, the same one for the same secret everywhere, so that a saved case gives the same diagnosis. */
  pseudonyms: boolean
}

/**
 * Observations fit for disk and for strangers: no token, key authorization, CSR, credential or PEM
 * block. DNS-01 TXT values stay: they are public by design. Text once redacted does not change again.
 */
export function redactObservations (observations: Observations, { pseudonyms }: RedactOptions): Observations {
  const secrets = knownSecrets(observations, pseudonyms)
  const replace = replacer(secrets)
  const { objects, recorded, ...rest } = observations
  const walked = walk(rest, replace) as Omit<Observations, 'objects' | 'recorded'>
  const redactObject = (object: KubeObject): KubeObject => walk(withoutRequest(relabel(object, secrets)), replace) as KubeObject
  return {
    ...walked,
    objects: objects.filter(({ kind }) => kind !== 'Secret').map(redactObject),
    recorded: recorded.map(({ objects: solver, ...state }) => ({ ...walk(state, replace) as typeof state, ...(solver === undefined ? {} : { objects: solver.map(redactObject) }) }))
  }
}

/** One object as it may be stored or shown. */
export function redactObject (object: KubeObject, secrets: ReadonlyMap<string, string> = secretsOf([object], true)): KubeObject {
  return walk(withoutRequest(relabel(object, secrets)), replacer(secrets)) as KubeObject
}

/** Every token, thumbprint and key authorization that these objects name, with what to write instead. */
export function secretsOf (objects: readonly KubeObject[], pseudonyms: boolean): Map<string, string> {
  const secrets = new Map<string, string>()
  const token = (value: unknown): void => { if (typeof value === 'string' && value.length >= 16) secrets.set(value, pseudonyms ? pseudonym('tok', value) : '<token>') }
  const thumbprint = (key: unknown): void => {
    const [before = '', after] = typeof key === 'string' ? key.split('.') : []
    if (after === undefined || after.length < 16) return
    token(before)
    secrets.set(after, pseudonyms ? pseudonym('key', after) : '<thumbprint>')
  }
  for (const object of objects) {
    if (object.kind === 'Challenge') {
      token(at(object, 'spec', 'token'))
      // DNS-01: the key is the TXT value, which anybody can look up.
      if (text(object, 'spec', 'type').toUpperCase() !== 'DNS-01') thumbprint(at(object, 'spec', 'key'))
    }
    if (object.kind === 'Order') for (const authorization of list(object, 'status', 'authorizations')) for (const challenge of list(authorization, 'challenges')) token(at(challenge, 'token'))
    if (object.kind === 'Pod') {
      for (const container of list(object, 'spec', 'containers')) {
        for (const argument of list(container, 'args')) {
          const [, name, value] = typeof argument === 'string' ? /^--(token|key)=(.+)$/.exec(argument) ?? [] : []
          if (name === 'token') token(value)
          if (name === 'key') thumbprint(value)
        }
      }
    }
  }
  return secrets
}

/** Shorter than what redactText takes for a token, so that a second pass leaves it alone. */
const pseudonym = (prefix: string, secret: string): string => secret.startsWith(`${prefix}-`) && secret.length === 14 ? secret : `${prefix}-${createHash('sha256').update(secret).digest('hex').slice(0, 10)}`

function knownSecrets ({ objects, recorded, acme }: Observations, pseudonyms: boolean): Map<string, string> {
  const secrets = secretsOf([...objects, ...recorded.flatMap(state => state.objects ?? [])], pseudonyms)
  for (const { look } of acme) {
    if (look.is !== 'seen') continue
    const challenges = [...list(look.value.body, 'challenges'), look.value.body]
    for (const challenge of challenges) {
      const token = text(challenge, 'token')
      if (token.length >= 16) secrets.set(token, pseudonyms ? pseudonym('tok', token) : '<token>')
      const [, after] = text(challenge, 'keyAuthorization').split('.')
      if (after !== undefined && after.length >= 16) secrets.set(after, pseudonyms ? pseudonym('key', after) : '<thumbprint>')
    }
  }
  return secrets
}

type Replace = (value: string) => string

function replacer (secrets: ReadonlyMap<string, string>): Replace {
  const known = [...secrets.keys()].sort((a, b) => b.length - a.length)
  const pattern = known.length === 0 ? undefined : new RegExp(known.map(secret => secret.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g')
  return value => {
    if (value.length < 8) return value
    const named = pattern === undefined || value.length < 16 ? value : value.replace(pattern, secret => secrets.get(secret) ?? '<redacted>')
    return redactText(named)
  }
}

/** Fields whose text is no prose: a pattern would only harm them. */
const plain = new Set(['uid', 'resourceVersion', 'apiVersion', 'kind', 'fieldsV1', 'generateName', 'is', 'format', 'fingerprint'])

function walk (value: unknown, replace: Replace): unknown {
  if (typeof value === 'string') return replace(value)
  if (Array.isArray(value)) return value.map(entry => walk(entry, replace))
  if (typeof value !== 'object' || value === null) return value
  // Entries, so that a key like __proto__ of other people's JSON stays a key.
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain.has(key) ? entry : walk(entry, replace)]))
}

function withoutRequest (object: KubeObject): KubeObject {
  if ((object.kind !== 'Order' && object.kind !== 'CertificateRequest') || object.spec?.request === undefined) return object
  return { ...object, spec: Object.fromEntries(Object.entries(object.spec).filter(([key]) => key !== 'request')) }
}

const tokenLabel = 'acme.cert-manager.io/http-token'

/** Solver objects carry Adler-32 of the token: the label follows the pseudonym, or it would lead nowhere. */
function relabel (object: KubeObject, secrets: ReadonlyMap<string, string>): KubeObject {
  const value = object.metadata.labels?.[tokenLabel]
  const selected = text(object, 'spec', 'selector', tokenLabel)
  if (value === undefined && selected === '') return object
  const sums = new Map([...secrets].filter(([, name]) => name.startsWith('tok-')).map(([secret, name]) => [String(adler32(secret)), String(adler32(name))]))
  const renamed = (sum: string): string => sums.get(sum) ?? sum
  return {
    ...object,
    metadata: value === undefined ? object.metadata : { ...object.metadata, labels: { ...object.metadata.labels, [tokenLabel]: renamed(value) } },
    ...(selected === '' ? {} : { spec: { ...object.spec, selector: { ...(object.spec?.selector as Record<string, string>), [tokenLabel]: renamed(selected) } } })
  }
}
