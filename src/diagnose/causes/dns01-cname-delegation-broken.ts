import { defineCause, notApplicable } from '../cause.ts'
import { ofTxt, withTheCa } from '../sources.ts'

/** `_acme-challenge` is a CNAME, and the record is written (or looked for) at the wrong end of it. */
export default defineCause({
  id: 'dns01-cname-delegation-broken',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['txt', 'challenge'],
  title: '_acme-challenge.{dnsName} is a CNAME that leads where the record is not',
  meaning: 'The challenge name leads by CNAME to {target}; {why}',
  remedy: [
    { do: 'See where the challenge name leads.', run: 'dig +trace CNAME _acme-challenge.{dnsName}' },
    'For a delegation on purpose set cnameStrategy: Follow in the solver and give it credentials for the target\'s zone; for one by accident (a wildcard CNAME) add an explicit record at _acme-challenge.{dnsName}, or set cnameStrategy: None.'
  ],
  related: ['dns01-not-propagated', 'dns01-zone-not-found'],
  texts: [
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'Found recursive CNAME record to \\S+ when looking up|CNAME (?:loop|recursion)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: '\\bCNAMEs?\\b.{0,100}\\b(?:too (?:long|deep|many)|loops?|circular|cycl\\w+|exceed\\w*)|' + ofTxt('too many (?:CNAMEs?|aliases|redirect\\w*)|(?:circular|endless|infinite|cyclic)\\b.{0,16}\\bCNAME|\\b(?:CNAMEd?|alias(?:ed)?)\\b.{0,120}\\b(?:not exist|non-?existent|NXDOMAIN|dangling|not resolve|unresolvable)\\b'), confidence: 'likely', when: { wrapper: withTheCa } },
    // Beside a CNAME nothing else may stand (RFC 1034): the provider refuses the TXT record.
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?P<taken>RRSet of type TXT with DNS name \\S+ is not permitted (?:as it conflicts|because a conflicting RRSet of type\\s+CNAME)|CNAME record with (?:the same name|that (?:host|name)) already exists|cnameResourceRecordSetConflict|either one CNAME resource record set|IN TXT: Conflicts with pre-existing RRset|CNAMEs? (?:records? )?(?:can ?not|can\'t|must not|may not) (?:share|co-?exist)|(?:conflicts?|clash\\w*|exclusive) with (?:an? |the )?(?:existing |other )?CNAME)', confidence: 'likely', when: { wrapper: ['present', 'log', 'cleanup'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'RRSet with DNS name (?P<written>\\S+?)\\.? is not permitted in zone', confidence: 'likely' }
  ],

  examine ({ hits, txt, challenge, case: incident, identifier }) {
    // A record that is not the challenge's own: a CNAME was followed to it, and its zone is not the solver's.
    const [best] = hits.filter(({ groups: { written } }) => written === undefined || !written.toLowerCase().startsWith('_acme-challenge.'))
    const target = txt.is === 'seen' ? txt.value.cname?.at(-1)?.replace(/\.$/, '') : undefined
    if (best?.groups.taken !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { target: target ?? 'another name', why: 'beside a CNAME no TXT record can be written.' }, because: [best] }
    if (best?.groups.written !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { target: target ?? best.groups.written, why: 'the zone that the solver writes to does not hold that name.' }, because: [best] }
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { target: target ?? 'a name that leads back', why: 'the chain never ends.' }, because: [best] }
    if (txt.is !== 'seen') return notApplicable
    if (target === undefined) return { is: 'ruled-out', by: ['txt'], because: '_acme-challenge is no CNAME.' }
    if (challenge.is !== 'seen' || txt.value.state === 'everywhere') return notApplicable
    const config = Object.values(challenge.value.solverConfig).find((value): value is { cnameStrategy?: string } => typeof value === 'object' && value !== null && 'cnameStrategy' in value)
    const follow = (challenge.value.solverConfig.cnameStrategy ?? config?.cnameStrategy) === 'Follow'
    // A text about this attempt that names the target: the zone was looked for under it.
    const walked = incident.texts.find(text => text.attempt === 'current' && text.severity !== 'info' && (text.about.length === 0 || text.about.includes(identifier.name)) && text.whole.toLowerCase().includes(target.toLowerCase()))
    if (walked !== undefined) return { is: 'found', confidence: 'likely', blanks: { target, why: txt.value.wildcardAnswer ? 'a wildcard CNAME catches it, and the solver cannot write there.' : 'the solver cannot write there.' }, because: [walked, 'txt'] }
    if (!challenge.value.presented) return notApplicable
    if (!follow) return { is: 'found', confidence: 'likely', blanks: { target, why: 'the solver does not follow CNAMEs (cnameStrategy), so the record stands at the near end and is looked for at the far end.' }, because: ['txt', 'challenge'] }
    return { is: 'found', confidence: 'possible', blanks: { target, why: 'the expected value is not found there.' }, because: ['txt'] }
  }
})
