import { absent, seen } from '../../shared/types/common.ts'
import type { Look } from '../../shared/types/common.ts'
import type { DirectoryFacts } from '../../shared/types/case.ts'
import type { AcmeLook } from '../../shared/types/observations.ts'
import { field, text, texts, whyNothing } from './outside-looks.ts'
import type { OutsideContext } from './outside-looks.ts'

/** Whether the ACME server answers as one, is trusted, and what it says of itself. */
export function directoryFacts (context: OutsideContext): Look<DirectoryFacts> {
  const look = context.observations.acme.find(({ kind }) => kind === 'directory')
  if (look === undefined) return text(field(context.attempt.issuer?.spec, 'acme', 'server')) === undefined ? absent : whyNothing(context.observations, [], 'acme', 'the directory was not asked for')
  if (look.look.is === 'absent') return absent
  if (look.look.is === 'unavailable' && (look.failure === undefined || look.failure.code === 'not-recorded')) return look.look
  return seen(look.look.is === 'seen' ? answered(look, look.look.value) : {
    url: look.url,
    reachable: false,
    failure: look.failure,
    ...(look.failure?.code === 'tls' && { trusted: false }),
    caaIdentities: [],
    profiles: [],
    evidence: [{ source: 'acme' as const, ref: look.url, text: look.look.why }]
  })
}

function answered (look: AcmeLook, { status, body, date, tls }: Extract<AcmeLook['look'], { is: 'seen' }>['value']): DirectoryFacts {
  const reachable = status === 200 && text(field(body, 'newOrder')) !== undefined
  const externalAccountRequired = field(body, 'meta', 'externalAccountRequired')
  const profiles = field(body, 'meta', 'profiles')
  return {
    url: look.url,
    reachable,
    status,
    ...(tls !== undefined && { trusted: tls.trusted }),
    caaIdentities: texts(field(body, 'meta', 'caaIdentities')),
    profiles: typeof profiles === 'object' && profiles !== null ? Object.keys(profiles).sort() : [],
    ...(typeof externalAccountRequired === 'boolean' && { externalAccountRequired }),
    ...(date !== undefined && { skewMs: date - look.at }),
    evidence: [{ source: 'acme', ref: look.url, text: reachable ? 'the directory answers' : `status ${status}, and it is no ACME directory` }]
  }
}

/** CAA identities of CAs whose directory may not tell (acme-ca.md §5); by host of the ACME server. */
const knownIdentities: readonly [host: RegExp, identities: string[]][] = [
  [/(^|\.)letsencrypt\.org$/, ['letsencrypt.org']],
  [/(^|\.)(zerossl|sectigo)\.com$/, ['sectigo.com']],
  [/(^|\.)pki\.goog$/, ['pki.goog']],
  [/(^|\.)digicert\.(com|co\.jp)$/, ['digicert.com']],
  [/(^|\.)ssl\.com$/, ['ssl.com']],
  [/(^|\.)harica\.gr$/, ['harica.gr']],
  [/(^|\.)buypass\.(com|no)$/, ['buypass.com']]
]

/** What the CA calls itself in CAA records: its own word first, then the table; empty when neither knows. */
export function caaIdentitiesOf (context: OutsideContext): string[] {
  const directory = directoryFacts(context)
  if (directory.is === 'seen' && directory.value.caaIdentities.length > 0) return directory.value.caaIdentities.map((identity) => identity.toLowerCase())
  const server = text(field(context.attempt.issuer?.spec, 'acme', 'server')) ?? context.observations.acme.find(({ kind }) => kind === 'directory')?.url
  if (server === undefined || !URL.canParse(server)) return []
  const { hostname } = new URL(server)
  return knownIdentities.find(([host]) => host.test(hostname))?.[1] ?? []
}
