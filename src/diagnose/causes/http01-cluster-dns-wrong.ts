import { cannotTell, defineCause, notApplicable, type Citation } from '../cause.ts'
import { http01Facts, readHttp01, selfCheckSays, strayedTo } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'addresses' | 'probeFromOutside' | 'probeFromCluster'

/** Inside the cluster the name means something else than in public DNS, so the self-check goes astray. */
export default defineCause({
  id: 'http01-cluster-dns-wrong',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: [...http01Facts, 'addresses'],
  title: 'Cluster DNS answers differently for {dnsName}: {inside} inside, {outside} in public',
  meaning: 'cert-manager checks the challenge with the cluster\'s resolver, which gives {inside}; public DNS gives {outside}. The check fails although the CA might succeed.',
  remedy: [
    { do: 'See what public DNS answers.', run: 'dig +short {dnsName} @1.1.1.1' },
    { do: 'Ask from a pod.', run: 'kubectl run dns-probe --rm -it --restart=Never --image=busybox -- nslookup {dnsName}', changes: true },
    'Correct the internal zone or CoreDNS (stale record, hosts entry, split horizon, search domain with a wildcard, negative cache), or wait for its TTL.',
    { do: 'Or let the self-check ask other servers: --acme-http01-solver-nameservers.', run: 'kubectl -n {certManagerNamespace} edit deployment cert-manager', changes: true }
  ],
  texts: [
    ...selfCheckSays('lookup \\S+( on \\S+)?: no such host', { confidence: 'possible' }),
    ...selfCheckSays('lookup \\S+( on \\S+)?: (server misbehaving|.*i/o timeout|.*connection refused|no answer|temporary failure in name resolution)', { confidence: 'possible' })
  ],
  related: ['http01-dns-record-missing', 'http01-hairpin-blocked', 'http01-dns-resolution-failed'],

  examine ({ hits, addresses, ...rest }) {
    const reading = readHttp01(rest)
    // The host of a redirect is not the name.
    if (reading.asked || (reading.selfCheck !== undefined && strayedTo(reading.selfCheck.words, rest.identifier.name) !== undefined)) return notApplicable
    const seen = valueIn(addresses)
    const [best] = hits
    if (seen === undefined || seen.publicState === 'unknown') {
      if (best === undefined) return notApplicable
      // A resolver that does not answer, or answers with an error, needs no comparison.
      const silent = /lookup \S+( on \S+)?: .*(i\/o timeout|connection refused|temporary failure|server misbehaving|no answer)/i.test(best.text.core)
      return silent ? { is: 'found', confidence: 'possible', blanks: { inside: 'no usable answer', outside: 'an answer that could not be looked at' }, because: [best] } : cannotTell('public DNS could not be asked, so there is nothing to compare with')
    }
    if (seen.publicState !== 'ok') return best === undefined && !seen.split ? notApplicable : { is: 'ruled-out', by: ['addresses'], because: 'Public DNS has no answer either.' }
    // Our own request goes to the public address when the cluster's resolver knows none; the check has no such way out.
    if (reading.servedInside && (best === undefined || seen.clusterAddresses.length > 0)) return { is: 'ruled-out', by: ['probeFromCluster'] }
    const inside = seen.clusterAddresses.length > 0 ? seen.clusterAddresses.join(', ') : seen.clusterState === 'ok' || seen.clusterState === 'unknown' ? 'no address' : seen.clusterState.toUpperCase()
    const outside = seen.publicAddresses.map(({ address }) => address).join(', ')
    const blanks = { inside, outside }
    const dead = seen.clusterState !== 'ok' && seen.clusterState !== 'unknown'
    if (best !== undefined) return { is: 'found', confidence: 'likely', blanks, because: [best, 'addresses'] }
    const dialled = reading.selfCheck?.address
    const astray = dialled !== undefined && !seen.publicAddresses.some(({ address }) => address === dialled)
    const differ = seen.split || dead || astray
    if (!differ) return seen.clusterState === 'ok' ? { is: 'ruled-out', by: ['addresses'], because: 'Cluster DNS and public DNS agree.' } : notApplicable
    const cited: Citation<Facts>[] = reading.selfCheck === undefined ? [] : [reading.selfCheck.cite]
    if (reading.selfCheck === undefined && reading.inside === undefined) return notApplicable
    // A name that means the ingress Service inside is split on purpose, and works.
    const [first, ...more] = [...cited, 'addresses' as const]
    return { is: 'found', confidence: reading.selfCheck !== undefined && (seen.split || dead || seen.clusterState !== 'ok') ? 'likely' : 'possible', blanks, because: [first!, ...more] }
  }
})
