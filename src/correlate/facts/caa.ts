import { absent, seen } from '../../shared/types/common.ts'
import type { Look } from '../../shared/types/common.ts'
import type { CaaFacts } from '../../shared/types/case.ts'
import type { DnsLook } from '../../shared/types/observations.ts'
import { caaIdentitiesOf } from './directory.ts'
import { dnsEvidence, field, isAnswered, isPublicVantage, looksOf, text, whyNothing } from './outside-looks.ts'
import type { OutsideContext, OutsideSeed } from './outside-looks.ts'

type CaaRecord = CaaFacts['records'][number]

/** What decides over one record set: who asks, for what, and by which method. */
export interface CaaQuestion {
  identities: readonly string[]
  wildcard: boolean
  /** `http-01` or `dns-01`; unknown methods are not judged. */
  method?: string
  /** Issuer.status.acme.uri. */
  accountUri?: string
}

/** Whether the closest CAA set above the name lets this CA issue, as Boulder judges it (boulder va/caa.go). */
export function caaFacts (context: OutsideContext, identifier?: OutsideSeed): Look<CaaFacts> {
  if (identifier === undefined || identifier.type === 'ip') return absent
  const labels = identifier.name.split('.')
  const climb = labels.map((_, index) => labels.slice(index).join('.')).slice(-12).map((name) => lookAt(context, name))
  const asked = climb.filter((look) => look !== undefined)
  if (!asked.some(isAnswered)) return whyNothing(context.observations, asked, 'dns', 'no CAA look was made')

  for (const look of asked) {
    const isTopLevel = look.name === labels.at(-1)
    // Nobody here could ask: whether a record stands there is not known, and nothing above it decides.
    if (!isTopLevel && !isAnswered(look) && !expiredForName(context, look)) return whyNothing(context.observations, [look], 'dns', 'CAA could not be asked for')
    const failed = failureOf(look, isTopLevel)
    // An error on a closer name is final: the CA may not climb past it.
    if (failed !== undefined) return seen({ records: [], lookupFailed: { name: look.name, what: failed }, evidence: [look, ...failingServers(context, look.name)].map((each) => dnsEvidence(each)) })
    const records = recordsOf(look)
    if (records.length === 0) continue
    const verdict = judgeCaa(records, {
      identities: caaIdentitiesOf(context),
      wildcard: identifier.wildcard,
      ...(identifier.challengeType !== undefined && { method: identifier.challengeType.toLowerCase() }),
      ...accountOf(context)
    })
    return seen({ foundAt: ownerOf(look), records, ...verdict, evidence: [dnsEvidence(look)] })
  }
  return seen({ records: [], allows: true, evidence: asked.slice(0, 1).map((look) => dnsEvidence(look, 'no CAA record up to the top-level domain')) })
}

function accountOf (context: OutsideContext): { accountUri?: string } {
  const accountUri = text(field(context.attempt.issuer?.status, 'acme', 'uri'))
  return accountUri === undefined || accountUri === '' ? {} : { accountUri }
}

const isUsable = (look: DnsLook): boolean => isAnswered(look) && ['NOERROR', 'NXDOMAIN'].includes(look.look.value.rcode)

/** The public view of one name's CAA: an answer if any resolver gave one, else what the zone's own servers answer. */
function lookAt ({ observations }: OutsideContext, name: string): DnsLook | undefined {
  const every = looksOf(observations, name, ['CAA'])
  const looks = every.filter((look) => isPublicVantage(look.vantage))
  return looks.find(isUsable) ?? looks.find(isAnswered) ?? every.find((look) => look.vantage === 'authoritative' && isUsable(look)) ?? looks[0]
}

/** The resolver answers other questions: its silence on this one is the name's doing. */
function expiredForName ({ observations }: OutsideContext, look: DnsLook): boolean {
  return look.failure === 'timeout' && observations.dns.some((other) => other.vantage === look.vantage && other.server === look.server && isAnswered(other))
}

/** The zone's own servers that give no usable answer to CAA: what a resolver fails on. */
function failingServers ({ observations }: OutsideContext, name: string): DnsLook[] {
  return looksOf(observations, name, ['CAA']).filter((look) => look.vantage === 'authoritative' && !isUsable(look) && (isAnswered(look) || look.failure === 'timeout')).slice(0, 3)
}

function failureOf (look: DnsLook, isTopLevel: boolean): string | undefined {
  // A made-up top-level domain in a recorded case knows no TLD either: nothing a CA would meet.
  if (isTopLevel) return undefined
  if (!isAnswered(look)) return 'query timed out'
  const { rcode, ede } = look.look.value
  if (rcode === 'NOERROR' || rcode === 'NXDOMAIN') return undefined
  return ede === undefined ? rcode : `${rcode} (extended error ${ede.code}${ede.text === '' ? '' : `: ${ede.text}`})`
}

function recordsOf (look: DnsLook): CaaRecord[] {
  if (!isAnswered(look)) return []
  return look.look.value.answers.filter((record) => record.type === 'CAA').flatMap((record) => {
    const parts = /^(\d+)\s+(\S+)\s+"?([\s\S]*?)"?$/.exec(record.data)
    return parts === null ? [] : [{ flags: Number(parts[1]), tag: parts[2]!.toLowerCase(), value: parts[3]! }]
  })
}

/** The name that holds the set: through a CNAME it is the alias's target, which is what the CA names. */
function ownerOf (look: DnsLook): string {
  return (isAnswered(look) ? look.look.value.answers.find((record) => record.type === 'CAA')?.name : undefined) ?? look.name
}

const understood = new Set(['issue', 'issuewild', 'iodef', 'issuemail', 'issuevmc', 'contactemail', 'contactphone'])
/** 128 is the critical bit (RFC 8659); Boulder takes 1 for it as well, since many wrote that. */
const critical = 128 | 1

/** One record set, one CA. `allows` is undefined when nothing tells the CA's identity or account. */
export function judgeCaa (records: readonly CaaRecord[], question: CaaQuestion): { allows?: boolean, why?: string } {
  if (records.some(({ flags, tag }) => (flags & critical) !== 0 && !understood.has(tag))) return { allows: false, why: 'critical' }
  const wild = records.filter(({ tag }) => tag === 'issuewild')
  const useWild = question.wildcard && wild.length > 0
  const relevant = useWild ? wild : records.filter(({ tag }) => tag === 'issue')
  if (relevant.length === 0) return { allows: true }
  if (question.identities.length === 0) return { why: 'the CA does not say what it is called in CAA records' }

  const verdicts = relevant.map(({ value }) => judgeValue(value, question))
  if (verdicts.includes('allowed')) return { allows: true }
  if (verdicts.includes('account-unknown')) return { why: 'account' }
  const why = (['account', 'method', 'malformed'] as const).find((reason) => verdicts.includes(reason))
  if (why !== undefined) return { allows: false, why }
  if (useWild) return { allows: false, why: 'wildcard' }
  return { allows: false, why: verdicts.every((verdict) => verdict === 'empty') ? 'empty' : 'other-ca' }
}

type ValueVerdict = 'allowed' | 'empty' | 'other-ca' | 'account' | 'account-unknown' | 'method' | 'malformed'

/** `letsencrypt.org; accounturi=https://…; validationmethods=dns-01` */
function judgeValue (value: string, question: CaaQuestion): ValueVerdict {
  const [domain = '', ...parameters] = value.split(';').map((part) => part.trim())
  if (domain === '') return 'empty'
  if (!question.identities.includes(domain.toLowerCase())) return 'other-ca'
  const pairs = parameters.filter((part) => part !== '').map((part) => /^([A-Za-z0-9]+)\s*=\s*(\S*)$/.exec(part))
  if (pairs.includes(null)) return 'malformed'
  const valuesOf = (name: string): string[] => pairs.filter((pair) => pair?.[1]!.toLowerCase() === name).map((pair) => pair![2]!)

  const accounts = valuesOf('accounturi')
  const methods = valuesOf('validationmethods')
  if (accounts.length > 1 || methods.length > 1) return 'malformed'
  if (methods.length === 1 && question.method !== undefined && !methods[0]!.toLowerCase().split(',').includes(question.method)) return 'method'
  if (accounts.length === 0) return 'allowed'
  if (question.accountUri === undefined) return 'account-unknown'
  return accounts[0] === question.accountUri ? 'allowed' : 'account'
}
