import { absent, seen, unavailable } from '../../shared/types/common.ts'
import type { Look } from '../../shared/types/common.ts'
import type { CaRecordFacts } from '../../shared/types/case.ts'
import type { AcmeLook, Observations } from '../../shared/types/observations.ts'
import { problemFromDocument } from '../acme-problem.ts'
import { addressesFacts } from './addresses.ts'
import { field, list, text, texts, whyNothing } from './outside-looks.ts'
import type { OutsideContext, OutsideSeed } from './outside-looks.ts'

/** What the CA itself recorded of this name's challenge: its status, its problem, and the addresses it went to. */
export function caRecordFacts (context: OutsideContext, identifier?: OutsideSeed): Look<CaRecordFacts> {
  if (identifier === undefined) return absent
  const looks = looksAbout(context.observations, identifier)
  const found = looks.map((look) => ({ look, challenge: challengeIn(look, identifier) })).find(({ challenge }) => challenge !== undefined)
  if (found === undefined) {
    if (looks.length === 0 && context.observations.acme.length > 0) return unavailable('no authorization of this name is known')
    return whyNothing(context.observations, looks, 'acme', 'the CA was not asked')
  }
  const { look, challenge } = found
  const problem = problemFromDocument(field(challenge, 'error'))
  const hops = list(field(challenge, 'validationRecord')).map((record) => ({
    url: text(field(record, 'url')) ?? '',
    hostname: text(field(record, 'hostname')) ?? '',
    port: String(field(record, 'port') ?? ''),
    addressUsed: text(field(record, 'addressUsed')) ?? '',
    addressesResolved: texts(field(record, 'addressesResolved'))
  }))
  const validated = Date.parse(text(field(challenge, 'validated')) ?? '')
  const status = text(field(challenge, 'status')) ?? ''
  const detail = text(field(challenge, 'error', 'detail'))
  return seen({
    status,
    ...(!Number.isNaN(validated) && { validated }),
    ...(problem !== undefined && { problem }),
    hops,
    addressChanged: hasAddressChanged(context, identifier, hops),
    evidence: [{
      source: 'acme',
      ref: look.url,
      ...(!Number.isNaN(validated) && { time: validated }),
      text: [`the CA's own record: ${status}`, ...(detail === undefined ? [] : [detail])].join(': ')
    }]
  })
}

/** By the challenge's own URLs first; by name when its object is gone. */
function looksAbout (observations: Observations, { name, wildcard, challenge }: OutsideSeed): AcmeLook[] {
  const own = [text(field(challenge?.spec, 'authorizationURL')), text(field(challenge?.spec, 'url'))].filter((url) => url !== undefined)
  const byUrl = observations.acme.filter((look) => look.kind !== 'directory' && own.includes(look.url))
  const byName = observations.acme.filter((look) => {
    if (look.kind !== 'authorization' || look.look.is !== 'seen' || byUrl.includes(look)) return false
    const { body } = look.look.value
    return text(field(body, 'identifier', 'value'))?.toLowerCase() === name && (field(body, 'wildcard') === true) === wildcard
  })
  // Its own URLs are known: another authorization of the same name belongs to another attempt.
  return own.length > 0 ? byUrl : byName
}

function challengeIn (look: AcmeLook, { challenge, challengeType }: OutsideSeed): unknown {
  if (look.look.is !== 'seen') return undefined
  const { body } = look.look.value
  if (look.kind === 'challenge') return body
  const challenges = list(field(body, 'challenges'))
  const url = text(field(challenge?.spec, 'url'))
  const typed = challenges.filter((entry) => challengeType === undefined || text(field(entry, 'type')) === challengeType.toLowerCase())
  return challenges.find((entry) => url !== undefined && field(entry, 'url') === url) ??
    typed.find((entry) => field(entry, 'error') !== undefined || field(entry, 'status') === 'invalid') ??
    typed.find((entry) => field(entry, 'status') === 'valid') ??
    (challengeType === undefined && typed.length > 1 ? undefined : typed[0])
}

function hasAddressChanged (context: OutsideContext, identifier: OutsideSeed, hops: CaRecordFacts['hops']): boolean {
  const used = hops.filter((hop) => hop.hostname.toLowerCase() === identifier.name && hop.addressUsed !== '').map((hop) => hop.addressUsed)
  const now = addressesFacts(context, identifier)
  if (used.length === 0 || now.is !== 'seen' || now.value.publicAddresses.length === 0) return false
  return !now.value.publicAddresses.some(({ address }) => used.includes(address))
}
