import { defineCause } from '../cause.ts'

/** A search domain of resolv.conf with a wildcard answers in place of the real name. */
export default defineCause({
  id: 'dns01-search-domain-hijack',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['addresses', 'delegation'],
  title: 'A search domain of the cluster\'s resolv.conf answers for {dnsName}',
  meaning: 'The name was looked up with a search domain behind it, and a wildcard there answered: {text}',
  remedy: [
    { do: 'See the search domains that the Pod has.', run: 'kubectl -n {certManagerNamespace} exec deploy/cert-manager -- cat /etc/resolv.conf' },
    'Remove the wildcard from the search domain, or set dnsConfig (ndots: 1) on cert-manager\'s Deployment, or give it public resolvers (--dns01-recursive-nameservers).'
  ],
  related: ['dns01-zone-not-found', 'dns01-split-horizon'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:SOA|zone|nameservers?|domain|NS|record)\\b.{0,160}\\.(?:svc\\.)?cluster\\.local', unless: '(?:Get|Post) "https?://|failed calling webhook|on \\S+:53: (?:no such host|server misbehaving)', confidence: 'likely', when: { wrapper: ['present', 'self-check', 'cleanup', 'log'] } },
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'x509: certificate is valid for [^,]{1,120}(?:ingress\\.local|\\*\\.\\S+), not (?:acme-v02|acme-staging-v02|api\\.cloudflare|route53)', confidence: 'possible', when: { wrapper: ['present', 'cleanup'] } }
  ]
})
