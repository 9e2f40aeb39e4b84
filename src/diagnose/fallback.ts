import type { Case } from '../shared/types/case.ts'
import type { Diagnosis, FoundCause, Step } from '../shared/types/diagnosis.ts'

/** The runbook's list for "nothing correlates inside the windows", each line with what is already known. */
export function fallbackList (incident: Case): Diagnosis['fallback'] {
  const issuer = incident.facts.issuer.is === 'seen' ? incident.facts.issuer.value : undefined
  const order = incident.facts.order.is === 'seen' ? incident.facts.order.value : undefined
  const types = new Set(incident.identifiers.map(({ challengeType }) => challengeType))
  const caa = incident.identifiers.map(({ facts }) => facts.caa)
  const probes = incident.identifiers.flatMap(({ facts }) => [facts.probeFromOutside, facts.probeFromCluster]).flatMap(look => look.is === 'seen' ? [look.value] : [])
  return [
    {
      advice: 'Use the staging server of the CA for further tests, so that no rate limit is spent.',
      known: issuer?.acme === undefined ? 'The issuer was not seen.' : /staging|test/.test(issuer.acme.server) ? `${issuer.name} already uses ${issuer.acme.server}.` : `${issuer.name} uses ${issuer.acme.server}.`
    },
    {
      advice: 'Verify the credentials of the DNS provider (DNS-01).',
      known: types.has('DNS-01') ? 'DNS-01 is in use; no text about credentials was found.' : types.has('HTTP-01') ? 'Not applicable: the challenges are HTTP-01.' : 'The challenge type is not known.'
    },
    {
      advice: 'Look for CAA records that forbid the CA.',
      known: caa.some(look => look.is === 'seen' && look.value.allows === false) ? 'A CAA record forbids this CA.' : caa.some(look => look.is === 'seen' && look.value.allows === true) ? 'Done: CAA allows this CA.' : 'Not seen.'
    },
    {
      advice: 'Switch the redirect to HTTPS off while the challenge runs.',
      known: probes.some(({ redirectedToHttps }) => redirectedToHttps) ? 'The path redirects to HTTPS.' : probes.length > 0 ? 'Done: no redirect was seen.' : types.has('DNS-01') ? 'Not applicable: DNS-01.' : 'Not seen.'
    },
    {
      advice: 'If it keeps failing, contact the ACME provider with the order URL and the time.',
      known: order?.url === undefined ? 'The Order has no URL.' : `Order ${order.url}, ${new Date(incident.anchor.time).toISOString()}.`
    }
  ]
}

/** The one or two looks that would settle it, as commands. */
export function nextLooks (incident: Case, found: FoundCause[]): Step[] {
  const { namespace = '' } = incident.subject
  const looks: Step[] = incident.unavailable.slice(0, 2).flatMap(({ why, fix }) => fix === undefined ? [] : [{ text: `${why}: ${fix}`, changes: false }])
  const challenge = incident.identifiers.flatMap(({ facts }) => facts.challenge.is === 'seen' ? [facts.challenge.value] : [])[0]
  if (challenge !== undefined) looks.push({ text: 'Read the Challenge as it stands now.', command: `kubectl -n ${challenge.namespace} describe challenge ${challenge.name}`, changes: false })
  else if (namespace !== '') looks.push({ text: 'See what is left of the attempt.', command: `kubectl -n ${namespace} get certificate,certificaterequest,order,challenge -o wide`, changes: false })
  const name = incident.identifiers[0]?.name ?? ''
  if (found.length === 0 && name !== '') looks.push({ text: 'Ask for the challenge path from outside the cluster.', command: `curl -sv http://${name}/.well-known/acme-challenge/test`, changes: false })
  return looks.slice(0, 2)
}
