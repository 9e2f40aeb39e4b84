import type { Case, IdentifierCase } from '../shared/types/case.ts'
import type { Evidence } from '../shared/types/common.ts'
import type { StandardBlank } from './cause.ts'

/** Fills `{blank}`s of a sentence; one that has no value stays readable as its name in angle brackets. */
export function fill (wording: string, blanks: Record<string, string>): string {
  return wording.replaceAll(/\{(\w+)\}/g, (_, name: string) => own(blanks, name) ?? proseDefaults.get(name) ?? `<${name}>`)
}

/** Fills a command to copy: a value that a shell would not take as one word is quoted. */
export function fillCommand (command: string, blanks: Record<string, string>): string {
  return command.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = own(blanks, name)
    return value === undefined ? name === 'issuerKind' ? 'issuer' : `<${name}>` : quote(value)
  })
}

const own = (blanks: Record<string, string>, name: string): string | undefined => Object.hasOwn(blanks, name) ? blanks[name] : undefined

/** How a sentence speaks of what is not known. */
const proseDefaults = new Map(Object.entries({
  acmeHost: 'the CA', dnsName: 'the name', issuerKind: 'the issuer', issuer: '', provider: 'the DNS provider', version: '', text: ''
}))

function quote (value: string): string {
  if (/^<[\w -]+>$/.test(value) || /^[\w@%+=:,./-]+$/.test(value)) return value
  return `'${value.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').replaceAll('\'', '\'\\\'\'')}'`
}

/** The blanks that every wording may use. */
export function standardBlanksOf (incident: Case, identifier: IdentifierCase, evidence: Evidence[]): Partial<Record<StandardBlank, string>> {
  const { subject, facts } = incident
  const certificate = facts.certificate.is === 'seen' ? facts.certificate.value : undefined
  const order = facts.order.is === 'seen' ? facts.order.value : undefined
  const issuer = facts.issuer.is === 'seen' ? facts.issuer.value : undefined
  const request = facts.request.is === 'seen' ? facts.request.value : undefined
  const controller = facts.controller.is === 'seen' ? facts.controller.value : undefined
  const challenge = identifier.facts.challenge.is === 'seen' ? identifier.facts.challenge.value : undefined
  const server = issuer?.acme?.server
  const reference = certificate?.issuerRef ?? request?.issuerRef
  const values: Partial<Record<StandardBlank, string | undefined>> = {
    dnsName: identifier.name === '' ? subject.domains[0] : identifier.wildcard ? `*.${identifier.name}` : identifier.name,
    namespace: certificate?.namespace ?? subject.namespace,
    certificate: certificate?.name ?? subject.certificate?.name,
    order: order?.name ?? subject.order?.name,
    request: request?.name ?? subject.request?.name,
    challenge: challenge?.name,
    issuer: issuer?.name ?? reference?.name ?? subject.issuer?.name,
    issuerKind: issuer?.kind ?? (reference === undefined ? subject.issuer?.kind : reference.kind ?? 'Issuer'),
    acmeServer: server,
    acmeHost: server === undefined || !URL.canParse(server) ? undefined : new URL(server).hostname,
    text: evidence[0]?.text,
    certManagerNamespace: controller?.namespace ?? 'cert-manager',
    provider: challenge?.solver,
    version: incident.version?.text
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''))
}
