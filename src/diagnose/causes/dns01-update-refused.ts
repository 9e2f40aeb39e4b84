import { defineCause } from '../cause.ts'

/** RFC 2136: the server got the update and refuses it (key, algorithm, policy). */
export default defineCause({
  id: 'dns01-update-refused',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  title: 'The DNS server refuses the dynamic update of {dnsName}',
  meaning: 'The RFC 2136 update reached the name server and was refused: {text}',
  remedy: [
    { do: 'Read the solver\'s stanza: name server, key name, algorithm.', run: 'kubectl get {issuerKind} {issuer} -n {namespace} -o jsonpath=\'{.spec.acme.solvers}\'' },
    'Make key name, algorithm and secret the same on both sides, and let the zone\'s update policy allow TXT at _acme-challenge.{dnsName}.'
  ],
  related: ['dns01-nameserver-unreachable', 'clock-skew'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'dns: bad (?:authentication|signature|key|algorithm)|DNS update failed: illegal base64|bad TSIG|BADKEY|BADSIG|TSIG (?:error|signature)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Server replied: (?:REFUSED|NOTAUTH|NOTZONE|YXDOMAIN|NXRRSET)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'algorithm \\S+ is not supported|error decoding the provided TSIG secret|illegal base64 data.{0,40}TSIG', confidence: 'proven' }
  ]
})
