import { defineCause } from '../cause.ts'

/** acme-dns: no account for the domain in the Secret, or its CNAME is not set. */
export default defineCause({
  id: 'dns01-acmedns-not-registered',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['txt', 'challenge'],
  title: 'acme-dns has no account for {dnsName}, or its CNAME is not set',
  meaning: 'acme-dns needs an account for each domain, and a CNAME from _acme-challenge to that account\'s name: {text}',
  remedy: [
    { do: 'See where the challenge name leads.', run: 'dig +short CNAME _acme-challenge.{dnsName}' },
    'Register the domain with acme-dns, put the account into the accounts Secret, and set the CNAME that it answers.'
  ],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'account credentials not found for domain', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'goacmedns.{0,40}(?:not found|unauthorized|does not exist)|acme-dns.{0,60}(?:bad_subdomain|forbidden|not registered)', confidence: 'likely' }
  ],

  examine ({ hits, txt, challenge }) {
    const [best] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: {}, because: [best] }
    if (challenge.is !== 'seen' || challenge.value.solver !== 'acmeDNS' || txt.is !== 'seen') return { is: 'not-applicable' }
    if (txt.value.cname !== undefined) return { is: 'ruled-out', by: ['txt'], because: `_acme-challenge leads to ${txt.value.cname.at(-1)}.` }
    if (txt.value.state === 'everywhere' || txt.value.state === 'unknown') return { is: 'not-applicable' }
    return { is: 'found', confidence: 'likely', blanks: {}, because: ['txt', 'challenge'] }
  }
})
