import type { Case } from '../shared/types/case.ts'
import type { FactName } from './cause.ts'
import type { Source } from '../shared/types/common.ts'
import type { Confidence } from '../shared/types/diagnosis.ts'

type Version = [number, number, number]

/** A defect of cert-manager: it counts only when the running version has it and the signature fits. */
export interface KnownBug {
  /** Number of the issue at cert-manager/cert-manager; the cause's variant. */
  issue: string
  /** Ranges that have it: from (included) to (excluded). */
  versions: [Version, Version][]
  /** RE2. */
  match: string
  unless?: string
  in: Source[]
  confidence: Confidence
  what: string
  fixedIn: string
  /** What else must be so; left out: version and text are enough. */
  also?: (incident: Case) => FactName | undefined
}

/** Known defects, newest last. Sources: the issues named, and the release notes of cert-manager. */
export const knownBugs: readonly KnownBug[] = [
  {
    issue: '7102',
    versions: [[[1, 15, 0], [1, 15, 1]]],
    match: 'endpoint rule error, invalid configuration: missing region',
    in: ['challenge', 'event', 'log'],
    confidence: 'likely',
    what: 'This version assumes the role of a Route 53 solver without a region, whatever the issuer says',
    fixedIn: 'v1.15.1'
  },
  {
    issue: '7331',
    versions: [[[1, 16, 0], [1, 16, 1]]],
    match: 'secrets? "[^"]+" not found|error getting \\w+ secret',
    unless: 'account|external account',
    in: ['challenge', 'event', 'log'],
    confidence: 'likely',
    what: 'With a ClusterIssuer this version looks for the credentials Secret in the namespace of the Challenge and not in the cluster resource namespace',
    fixedIn: 'v1.16.1',
    also: ({ facts: { issuer } }) => issuer.is === 'seen' && issuer.value.kind === 'ClusterIssuer' ? 'issuer' : undefined
  },
  {
    issue: '7337',
    versions: [[[1, 16, 0], [1, 21, 0]]],
    match: 'unexpected non-acme api error: .{0,200}(context deadline exceeded|timeout|connection (refused|reset)|eof|no such host)',
    in: ['challenge', 'event', 'log', 'order', 'request', 'certificate'],
    confidence: 'likely',
    what: 'One time-out or broken connection on the way to the CA ends the challenge for good instead of being tried again',
    fixedIn: 'v1.21.0 (the wait of only 20 s in v1.17.3, v1.18.1)'
  },
  {
    issue: '7540',
    versions: [[[1, 0, 0], [1, 12, 16]], [[1, 13, 0], [1, 15, 5]], [[1, 16, 0], [1, 16, 4]]],
    match: '(cleaning up challenge|cleanup).{0,300}cloudflare.{0,200}(404|not found)|while querying the cloudflare api for delete .{0,300}(404|not found|7003|could not route)',
    in: ['challenge', 'event', 'log'],
    confidence: 'likely',
    what: 'Cloudflare changed its API at the end of November 2024, and this version cannot delete the TXT record any more',
    fixedIn: 'v1.12.16, v1.15.5, v1.16.4, v1.17.0'
  },
  {
    issue: '7547',
    versions: [[[1, 15, 0], [1, 18, 0]]],
    match: 'tried to delete resource record set .{0,300}but it was not found',
    in: ['challenge', 'event', 'log'],
    confidence: 'likely',
    what: 'The Route 53 solver does not take it for a success that the TXT record is gone already, and cleans up for ever',
    fixedIn: 'v1.18.0'
  },
  {
    issue: '8221',
    versions: [[[1, 0, 0], [1, 20, 0]]],
    match: 'digitalocean.{0,200}429|429 \\(request .{0,100}too many requests',
    in: ['challenge', 'event', 'log'],
    confidence: 'possible',
    what: 'The DigitalOcean solver tries again without pause and so keeps itself over the API limit',
    fixedIn: 'v1.20.0'
  },
  {
    issue: '8743',
    versions: [[[1, 20, 0], [1, 20, 3]]],
    match: 'cannot set blockownerdeletion .{0,400}issuers/finalizers|cannot update (cluster)?issuers/finalizers',
    in: ['event', 'log', 'order', 'request', 'challenge'],
    confidence: 'likely',
    what: 'Challenges get a second owner reference to the issuer, which clusters that enforce owner references refuse',
    fixedIn: 'v1.20.3'
  },
  {
    issue: '9036',
    versions: [[[1, 21, 0], [1, 21, 1]]],
    match: 'failed to get secret "[^"]+": secrets? |the secret "[^"]+" does not have key',
    in: ['issuer'],
    confidence: 'possible',
    what: 'This version does not look again at an issuer whose solver lacked its Secret, even when the Secret is there by now; any change of the issuer wakes it',
    fixedIn: 'v1.21.1'
  },
  {
    issue: 'none',
    versions: [[[0, 0, 0], [99, 0, 0]]],
    match: 'if this error occurs there is a bug in cert-manager',
    in: ['challenge', 'event', 'log', 'order'],
    confidence: 'likely',
    what: 'cert-manager met a state that its authors hold for impossible, and gave up',
    fixedIn: 'not known; report it with the text'
  }
]

/** Whether this version has the defect. An unknown version has none. */
export function hasBug ({ versions }: KnownBug, { version }: Case): boolean {
  if (version === undefined) return false
  const running: Version = [version.major, version.minor, version.patch]
  return versions.some(([from, to]) => compare(running, from) >= 0 && compare(running, to) < 0)
}

const compare = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
