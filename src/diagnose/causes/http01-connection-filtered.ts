import { defineCause, notApplicable } from '../cause.ts'
import { http01Facts, readHttp01, saidByCa, selfCheckSays } from '../http01.ts'

/** Something accepts the connection and then cuts it: a filter that reads the request, or a server that hangs up. */
export default defineCause({
  id: 'http01-connection-filtered',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: http01Facts,
  title: 'The connection to {dnsName}:80 is opened and then cut ({how})',
  meaning: 'Port 80 accepts connections, but the request for the token ends with "{how}". Web application firewalls, intrusion prevention, geo-blocking and servers that speak something else on port 80 do this.',
  remedy: [
    { do: 'Send the request from outside, and once more with another User-Agent and from another country.', run: 'curl -sv http://{dnsName}/.well-known/acme-challenge/test' },
    'Exempt /.well-known/acme-challenge/ in the filter (WAF, IDS/IPS, country block) before the ingress.',
    'See that port 80 speaks plain HTTP, without TLS and without PROXY protocol that nobody sends.'
  ],
  texts: [
    ...saidByCa('connection reset by peer|connection was reset|econnreset|socket hang up|remote end closed connection|empty reply from server|closed (the )?connection|connection (was |is )?closed', { confidence: 'likely' }),
    ...saidByCa('error getting validation data', { confidence: 'possible' }),
    ...saidByCa('error reading http response body', { confidence: 'possible' }),
    ...selfCheckSays('failed to read response body', { confidence: 'possible' })
  ],
  related: ['http01-proxy-protocol-mismatch', 'http01-mesh-blocks', 'acme-secondary-validation-failed'],

  examine ({ hits, ...rest }) {
    const reading = readHttp01(rest)
    const [best] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    const cut = reading.outside?.outcome === 'reset' || reading.outside?.outcome === 'closed'
    if (best !== undefined) {
      // After a redirect it is the TLS side that hangs up.
      if (best.text.problem?.url?.startsWith('https:') === true) return notApplicable
      const how = /reset/i.test(best.text.core) ? 'connection reset' : 'no usable answer'
      return { is: 'found', confidence: cut && best.rule.confidence === 'possible' ? 'likely' : best.rule.confidence, blanks: { how }, because: cut ? [best, 'probeFromOutside'] : [best] }
    }
    if (reading.ca !== undefined && reading.ca.kind !== 'other') return notApplicable
    if (cut) return { is: 'found', confidence: 'likely', blanks: { how: reading.outside!.outcome === 'reset' ? 'connection reset' : 'connection closed' }, because: ['probeFromOutside'] }
    return reading.servedOutside ? { is: 'ruled-out', by: ['probeFromOutside'] } : notApplicable
  }
})
