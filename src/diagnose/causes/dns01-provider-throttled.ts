import { defineCause } from '../cause.ts'

/** The DNS provider's API counts requests and has had enough. */
export default defineCause({
  id: 'dns01-provider-throttled',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  title: 'The DNS provider\'s API limits our requests',
  meaning: 'The provider answers that too many requests were made; cert-manager tries again with growing pauses: {text}',
  remedy: [
    { do: 'See how many challenges ask the provider at once.', run: 'kubectl get challenges -A' },
    'Lower --max-concurrent-challenges, spread the renewals, or ask the provider for a higher limit.'
  ],
  related: ['dns01-provider-error'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Throttling(?:Exception)?:|api error Throttling|Rate exceeded|ThrottledException|PriorRequestNotComplete|RequestLimitExceeded', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Error: (?:971|10429):|consider throttling your request speed|Please wait and consider throttling', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'rateLimitExceeded|userRateLimitExceeded|googleapi: Error 429|TooManyRequests|SubscriptionRequestsThrottled', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:\\b429\\b|too many requests|api rate limit|rate limit(?:ed| exceeded| reached)|request quota|Throttling\\.User|API_RATE_LIMIT|429 Too many|code = ResourceExhausted|requests? per \\w+ (?:was |is |were )?exceeded|limit of \\d+ (?:requests|calls)|more than \\d+ (?:requests|calls) per|request(?:s)? (?:was|were) (?:throttled|rate.?limited)|throttling threshold|rate_limit_exceeded|exceeds the frequency limit|flow control)', unless: 'urn:ietf:params:acme|urn:acme|too many (?:certificates|failed|new)|letsencrypt\\.org/docs|429 : |client rate limiter|acme/', confidence: 'proven', when: { wrapper: ['present', 'cleanup', 'log', 'object', 'alert'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'rate[ _-]?limit|too_many_requests|\\b(?:quota|requests? limit|calls? limit|api limit)\\b[\\w ]{0,24}\\b(?:reached|exceeded|exhausted|used up|hit)\\b|exceeded\\b[\\w ]{0,24}\\b(?:request|call|api) (?:limit|quota)|(?:request|call) rate|slow down|\\bover ?limit\\b|fair[ -]use|\\b(?:response|reply|answer|result|returned|says)\\b.{0,40}: ?(?:interval|abuse)$|\\bflood (?:protection|control)|\\b\\d+ (?:API )?(?:calls|requests|queries)\\b.{0,24}\\b(?:today|daily|per (?:day|hour|minute|second)|each (?:day|hour))|\\b(?:daily|hourly|monthly)\\b[\\w ]{0,16}\\b(?:limit|quota|allowance|calls|requests)\\b|used (?:up )?(?:all|your)\\b[\\w ]{0,24}\\b(?:calls|requests|quota)|too many (?:calls|updates|attempts|queries|operations)', unless: 'urn:|exceeded quota|over_quota|quota exceeded for \\w*(?:record|zone|domain)|(?:record(?:set)?|zone|domain)s?\\b[\\w ]{0,16}\\b(?:quota|limit)|(?:quota|number|limit) (?:of|on|for) (?:\\w+ ){0,2}(?:record|zone|domain)', confidence: 'likely', when: { wrapper: ['present', 'cleanup'] } }
  ]
})
