import type { ProbeFacts } from '../../shared/types/case.ts'
import { defineCause, notApplicable } from '../cause.ts'
import { http01Facts, isConnectFailure, isForeignAnswer, readHttp01, saidByCa, selfCheckSays } from '../http01.ts'
import { endedInSilence, valueIn } from '../reading.ts'

/** The CA prefers IPv6; the AAAA record leads to a server that does not answer, or answers something else. */
export default defineCause({
  id: 'http01-dns-ipv6-broken',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: [...http01Facts, 'addresses', 'caRecord'],
  title: 'The IPv6 address of {dnsName}, {address}, does not serve the challenge',
  meaning: '{dnsName} has an AAAA record. CAs use IPv6 first, and at {address} the request fails, while IPv4 is a different path.',
  remedy: [
    { do: 'Ask for the path over IPv6 from outside.', run: 'curl -6 -sv http://{dnsName}/.well-known/acme-challenge/test' },
    'Remove the AAAA record, or correct it, or let the load balancer and the firewall serve port 80 on IPv6 as well.',
    { do: 'Then start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    ...saidByCa('(^|[^0-9a-f:])[0-9a-f]{1,4}:[0-9a-f:]*:[0-9a-f:.]*: (fetching|invalid response|timeout|connection|network|error |remote error|server )', { confidence: 'likely' }),
    ...saidByCa('invalid response from \\S+ \\[[0-9a-f]{1,4}:[0-9a-f:]+\\]', { confidence: 'likely' }),
    ...selfCheckSays('dial tcp \\[[0-9a-f:]+\\]:(80|443): (connect: (network is unreachable|no route to host|connection refused|cannot assign requested address)|i/o timeout)', { confidence: 'possible' })
  ],
  related: ['http01-port80-blocked', 'http01-dns-points-elsewhere'],

  examine ({ hits, addresses, caRecord, ...rest }) {
    const seen = valueIn(addresses)
    const reading = readHttp01(rest)
    const six = seen?.publicAddresses.filter(({ family }) => family === 6) ?? []
    const four = seen?.publicAddresses.filter(({ family }) => family === 4) ?? []
    const probed = [reading.outside, reading.inside].flatMap(probe => probe?.perAddress ?? [])
    const served = probed.find(({ family, outcome }) => family === 6 && outcome === 'token-served')
    const used = valueIn(caRecord)?.hops.map(({ addressUsed }) => addressUsed).find(address => address.includes(':'))
    const [best] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    if (seen !== undefined && six.length === 0 && used === undefined && best?.text.problem?.family !== 6) return best === undefined ? notApplicable : { is: 'ruled-out', by: ['addresses'] }
    if (served !== undefined) return { is: 'ruled-out', by: [reading.outside?.perAddress.includes(served) ? 'probeFromOutside' : 'probeFromCluster'] }
    // Without an IPv4 way there is nothing to compare with: then it is the one address that is closed.
    if (seen !== undefined && four.length === 0) return notApplicable

    const fourServed = probed.some(({ family, outcome }) => family === 4 && outcome === 'token-served')
    const address = best?.text.problem?.ip ?? used ?? six[0]?.address ?? reading.failure?.address ?? 'its IPv6 address'
    if (best !== undefined) {
      const fromCa = best.text.wrapper !== 'self-check'
      return { is: 'found', confidence: fromCa ? fourServed ? 'proven' : 'likely' : fourServed ? 'likely' : 'possible', blanks: { address }, because: seen === undefined ? [best] : [best, 'addresses'] }
    }
    const outsideSix = reading.outside?.perAddress.find(({ family, outcome }) => family === 6 && outcome !== 'not-recorded' && outcome !== 'blocked')
    if (outsideSix !== undefined && reading.outside?.perAddress.some(({ family, outcome }) => family === 4 && outcome === 'token-served')) return { is: 'found', confidence: 'likely', blanks: { address: outsideSix.address }, because: ['probeFromOutside', 'addresses'] }
    const failed = isConnectFailure(reading.ca) || isForeignAnswer(reading.ca)
    if (used !== undefined && failed) return { is: 'found', confidence: 'likely', blanks: { address: used }, because: ['caRecord', 'addresses'] }
    const stray = six.find(({ ownedBy }) => ownedBy === undefined)
    // The CA asks the IPv6 address first: what is there is not the cluster's, and answers as none of the cluster's does or not at all.
    const there = reading.outside?.perAddress.find(({ address: at, outcome }) => at === stray?.address && outcome !== 'not-recorded' && outcome !== 'blocked')
    const here = reading.outside?.perAddress.find(({ address: at, status }) => status !== undefined && four.some(entry => entry.address === at && entry.ownedBy !== undefined))
    if (there !== undefined && here !== undefined && serverOf(there) !== serverOf(here) && reading.ca === undefined && endedInSilence(rest.case)) return { is: 'found', confidence: 'likely', blanks: { address: there.address }, because: ['addresses', 'probeFromOutside'] }
    if (failed && stray !== undefined && four.some(({ ownedBy }) => ownedBy !== undefined) && (reading.ca?.address === undefined || reading.ca.address.includes(':'))) return { is: 'found', confidence: 'possible', blanks: { address: stray.address }, because: ['addresses'] }
    return notApplicable
  }
})

/** What tells one server from another in an answer. */
const serverOf = ({ bodyKind, hops, status }: ProbeFacts['perAddress'][number]): string => [hops[0]?.server ?? '', status, bodyKind].join(' ')
