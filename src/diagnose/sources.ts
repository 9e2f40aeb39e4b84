import type { Source } from '../shared/types/common.ts'
import type { Wrapper } from '../shared/types/case.ts'

/** Every place in which the words of the CA or of cert-manager about an attempt may stand; of an alert's annotations only what quotes them is a text. */
export const everywhere: Source[] = ['certificate', 'request', 'order', 'challenge', 'issuer', 'event', 'log', 'acme', 'alert']

/** As `everywhere`, and objects that are not part of the chain (Ingress, Pod, APIService …). */
export const andObjects: Source[] = [...everywhere, 'object']

/** Stages at which cert-manager and the CA speak of account, order and authorization; a log line without a stage is none of them. */
export const withTheCa: Wrapper[] = ['account', 'issuer', 'order-create', 'order-finalize', 'order-other', 'accept', 'authorization', 'request', 'certificate', 'ca']

/** Stages at which others speak: DNS providers, web servers, the Kubernetes API. Their words are not the CA's, even when they are the same. */
export const ofOthers: Wrapper[] = ['present', 'cleanup', 'self-check', 'solver-selection', 'object']

const aboutTxt = '\\bTXT\\b|_acme-challenge|\\bdns-01\\b|\\bDNS (?:challenge|validation|record|lookup|query|response|proof|entry)|\\bname ?servers?\\b|\\b(?:in|by|via) (?:the )?DNS\\b'

/** Words of a CA about the TXT record of a challenge, in either order: every CA has its own, Boulder's have rules of their own. */
export const ofTxt = (words: string): string => `(?:${aboutTxt}).{0,200}(?:${words})|(?:${words}).{0,200}(?:${aboutTxt})`

/** What resembles such words and is none: of CAA, of other vantage points, of what the CA offers at all. */
export const notOfTxt = 'looking up \\w+ for|\\bCAA\\b|perspective|secondary|vantage|(?:not|n\'t) (?:available|offered|supported|allowed|enabled|permitted|active)|no such challenge'

/** How a forward proxy of the site signs the pages that it makes itself; no CA writes so. RE2 syntax. */
export const forwardProxyPage = '\\bsquid\\b|err_(access_denied|dns_fail|connect_fail)|zscaler|blue ?coat|proxysg|forcepoint|mcafee web gateway|skyhigh secure web|websense|tinyproxy'

/** Words of a CA that found a TXT value, and not the one it wanted: then the record is served. */
export const anotherValue = '(?:not|n\'t) (?:match|contain|equal|include|correspond)|mismatch|(?:wrong|incorrect|unexpected|different|other|invalid|unknown) (?:\\w+ )?(?:value|content|TXT|digest|data)|none (?:of (?:the|them)|equal|match\\w*)|but (?:got|found|was)|instead of|not the expected'

/** Words of a CA for a limit that is reached, whatever it limits and whatever problem type it gives. */
export const usedUp = '\\b(cap|quota|allowance|limit|maximum)\\b.{0,60}\\b(reached|exceeded|used up|exhausted)|\\b(reached|exceeded|exhausted|used up)\\b.{0,60}\\b(cap|quota|allowance|limit)\\b'
