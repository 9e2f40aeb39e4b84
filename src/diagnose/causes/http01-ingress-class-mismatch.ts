import { cannotTell, defineCause, notApplicable, type Citation } from '../cause.ts'
import { classDiffers, http01Facts, isForeignAnswer, isStrangeStatus, readHttp01, solverClaim } from '../http01.ts'

type Facts = 'routing' | 'probeFromOutside' | 'probeFromCluster'

/** No controller takes the solver's Ingress as its own, so the path stays with whoever had it. */
export default defineCause({
  id: 'http01-ingress-class-mismatch',
  since: '0.1.0',
  stage: 'present',
  needs: ['routing'],
  wants: http01Facts,
  title: 'No ingress controller serves the solver Ingress of {dnsName}: it {why}',
  meaning: 'cert-manager made the solver Ingress, but it {why}. The request for the token ends at a default backend or at another site.',
  remedy: [
    { do: 'See the classes and which Ingresses got an address.', run: 'kubectl get ingressclass; kubectl get ingress -A -o wide' },
    { do: 'See what the solver asks for.', run: 'kubectl get {issuerKind} {issuer} -n {namespace} -o yaml | grep -B2 -A12 http01' },
    'Set solvers[].http01.ingress.ingressClassName to the class of the site (or class, for controllers that read the annotation only), or create the missing IngressClass.'
  ],
  texts: [
    { in: ['log'], match: 'ignoring ingress.{0,200}(no object matching key|ingress class|ingressclass).{0,400}cm-acme-http-solver', confidence: 'likely' },
    { in: ['log'], match: 'cm-acme-http-solver.{0,300}(does not contain a valid ingressclass|ingress class annotation is not equal|unknown ingress class)', confidence: 'likely' }
  ],
  related: ['http01-ingress-host-conflict', 'http01-other-backend-answers', 'http01-load-balancer-not-synced'],

  examine ({ routing, hits, ...rest }) {
    const reading = readHttp01(rest)
    const claim = solverClaim(routing)
    if (reading.servedOutside || reading.servedInside) return { is: 'ruled-out', by: [reading.servedOutside ? 'probeFromOutside' : 'probeFromCluster'] }
    if (claim === undefined || claim.kind !== 'Ingress') return notApplicable
    const because: [Citation<Facts>, ...Citation<Facts>[]] = ['routing', ...hits.slice(0, 2), ...reading.failure === undefined ? [] : [reading.failure.cite]]
    const site = routing.claims.find(({ solver, kind, host, addresses }) => !solver && kind === 'Ingress' && host !== '' && addresses.length > 0)
    // The site's own Ingress is in another class, and has an address that the solver's has not.
    const apart = site !== undefined && classDiffers(routing) && !claim.addresses.some(address => site.addresses.includes(address))
    const why = apart && claim.ownership === 'owned' ? `${describe(claim.className)}, while ${site.kind} ${site.namespace}/${site.name} of the same host ${describe(site.className)}` : claim.why.replace(/; (its path|host ).*$/, '')
    if (claim.ownership === 'unowned' || apart) {
      // What the CA met must fit: a closed port or a missing record has another reason.
      const fits = reading.failure === undefined || (isForeignAnswer(reading.failure) && !isStrangeStatus(reading.failure.status)) || ['redirect', 'tls', 'other'].includes(reading.failure.kind)
      // Neither a class nor a controller in sight: rather they were not seen than that there are none.
      const bare = claim.why.includes('no IngressClass has that name') && routing.classes.length === 0 && routing.controllers.length === 0
      // The CA is asked when cert-manager has met the token itself: some controller brought it there.
      const served = reading.asked && !apart
      if (!fits || bare || served) return { is: 'found', confidence: 'possible', blanks: { why }, because: ['routing', ...hits.slice(0, 2)] }
      return { is: 'found', confidence: reading.failure === undefined ? 'possible' : 'likely', blanks: { why }, because: reading.failure === undefined ? because : [reading.failure.cite, 'routing', ...hits.slice(0, 2)] }
    }
    if (claim.ownership === 'owned') return { is: 'ruled-out', by: ['routing'], because: `The solver Ingress ${claim.why}.` }
    return isForeignAnswer(reading.failure) ? cannotTell('whether a controller serves the class of the solver Ingress could not be seen') : notApplicable
  }
})

const describe = (className: string | undefined): string => className === undefined ? 'has no class' : `is of class ${className}`
