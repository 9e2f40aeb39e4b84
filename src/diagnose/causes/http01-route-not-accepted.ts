import { cannotTell, defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { http01Facts, readHttp01 } from '../http01.ts'
import { denials, deniedObject } from '../http01-denials.ts'
import { andObjects } from '../sources.ts'

/** Reasons that say that the Gateway has no fitting listener; the listener is then the noun. */
const listenerReasons = /^(NoMatchingListenerHostname|NoReadyListeners)$/

/** The Gateway does not take the solver's HTTPRoute. */
export default defineCause({
  id: 'http01-route-not-accepted',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: [...http01Facts, 'solver'],
  title: 'The Gateway does not take the solver HTTPRoute of {dnsName}: {reason}',
  meaning: 'cert-manager made the HTTPRoute for the challenge, but {parent} does not serve it ({reason}). {detail}',
  remedy: [
    { do: 'See what the Gateway said.', run: 'kubectl -n {namespace} describe httproute -l acme.cert-manager.io/http01-solver=true' },
    'NotAllowedByListeners: set allowedRoutes.namespaces.from to All (or a selector) on the HTTP listener.',
    'NoMatchingParent: correct namespace, name, sectionName and port in solvers[].http01.gatewayHTTPRoute.parentRefs.',
    'No answer at all: no controller runs for the GatewayClass of that Gateway.'
  ],
  texts: [
    { in: andObjects, match: 'httproutes?\\.gateway\\.networking\\.k8s\\.io "[^"]*" is invalid', confidence: 'proven' },
    { in: andObjects, match: 'httproutes?\\.gateway\\.networking\\.k8s\\.io "[^"]*" is forbidden', confidence: 'proven', unless: 'is forbidden: user "|being terminated' }
  ],
  related: ['http01-gateway-listener-missing', 'http01-gateway-api-disabled'],

  examine ({ hits, solver, ...rest }) {
    const [best] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { reason: 'the API refuses it', parent: 'the API', detail: best.text.core.slice(0, 240) }, because: [best] }
    const denied = denials(rest.case, rest.identifier).find(text => deniedObject(text, valueIn(solver)) === 'HTTPRoute')
    if (denied !== undefined) return { is: 'found', confidence: 'proven', blanks: { reason: 'an admission policy refuses it', parent: 'the API', detail: denied.core.slice(0, 240) }, because: [denied] }
    const routes = valueIn(solver)?.routes ?? []
    if (routes.length === 0) return notApplicable
    const reading = readHttp01(rest)
    const parents = routes.flatMap(({ parents: list }) => list)
    const refused = parents.find(({ accepted }) => accepted?.status === 'False' && !listenerReasons.test(accepted.reason ?? ''))
    const taken = parents.some(({ accepted, resolvedRefs }) => accepted?.status === 'True' && resolvedRefs?.status !== 'False')
    if (refused !== undefined && !taken) return { is: 'found', confidence: 'proven', blanks: { reason: refused.accepted!.reason || 'not accepted', parent: refused.ref, detail: refused.accepted!.message ?? '' }, because: ['solver'] }
    const unresolved = parents.find(({ resolvedRefs }) => resolvedRefs?.status === 'False')
    if (unresolved !== undefined && !taken) return { is: 'found', confidence: 'proven', blanks: { reason: unresolved.resolvedRefs!.reason || 'references not resolved', parent: unresolved.ref, detail: unresolved.resolvedRefs!.message ?? '' }, because: ['solver'] }
    if (taken || reading.servedOutside || reading.servedInside) return { is: 'ruled-out', by: ['solver'] }
    const silent = parents.find(({ conditions }) => conditions.length === 0)
    if (silent === undefined) return notApplicable
    // A controller answers within seconds; a fresh route proves nothing.
    const made = valueIn(rest.challenge)?.created
    if (made !== undefined && rest.case.now - made < 30_000) return cannotTell('the HTTPRoute is only seconds old')
    // Dozens of them for one challenge: cert-manager does not see its own, let alone a Gateway.
    return { is: 'found', confidence: routes.length > 3 ? 'possible' : 'likely', blanks: { reason: 'no controller has answered', parent: silent.ref, detail: 'Its status names no parent.' }, because: reading.failure === undefined ? ['solver'] : ['solver', reading.failure.cite] }
  }
})
