import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The issuer's solver wants HTTPRoutes, and cert-manager does not deal in them. */
export default defineCause({
  id: 'http01-gateway-api-disabled',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['challenge', 'controller', 'solver'],
  title: 'The solver of {dnsName} needs the Gateway API, which is {state}',
  meaning: 'The issuer\'s HTTP-01 solver uses gatewayHTTPRoute, but the Gateway API is {state}. The route for the challenge is not made, or not looked after.',
  remedy: [
    { do: 'See whether the CRDs are there.', run: 'kubectl get crd httproutes.gateway.networking.k8s.io gateways.gateway.networking.k8s.io' },
    { do: 'See cert-manager\'s flags.', run: 'kubectl -n {certManagerNamespace} get deployment cert-manager -o yaml | grep -i gateway' },
    { do: 'Switch it on (config.enableGatewayAPI, before 1.15 the feature gate ExperimentalGatewayAPISupport) and restart after the CRDs are in.', run: 'kubectl -n {certManagerNamespace} rollout restart deployment cert-manager', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'gateway api is not enabled', confidence: 'proven' },
    { in: andObjects, match: 'gateway api crds do not seem to be present', confidence: 'proven' },
    { in: andObjects, match: 'no matches for kind "httproute"|the server could not find the requested resource.{0,80}httproutes', confidence: 'proven' }
  ],
  related: ['http01-route-not-accepted', 'http01-gateway-listener-missing'],

  examine ({ hits, challenge, controller, solver }) {
    const seen = valueIn(challenge)
    const [best, ...more] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { state: /crds|no matches|could not find/i.test(best.text.core) ? 'not installed in this cluster' : 'switched off in cert-manager' }, because: [best, ...more.slice(0, 1)] }
    if (seen?.solver !== 'gatewayHTTPRoute') return notApplicable
    const enabled = valueIn(controller)?.gatewayApiEnabled
    const routes = valueIn(solver)?.routes ?? []
    // One route, made and still there: whoever made it sees what it made, by a switch that was not seen here.
    const works = routes.length === 1 && seen.presented
    if (enabled === false && !works) return { is: 'found', confidence: 'likely', blanks: { state: 'switched off in cert-manager' }, because: routes.length > 1 ? ['controller', 'challenge', 'solver'] : ['controller', 'challenge'] }
    // Without its informer cert-manager does not see its own routes and makes another at each check.
    if (routes.length > 3) return { is: 'found', confidence: 'likely', blanks: { state: 'not watched by cert-manager' }, because: ['solver', 'challenge'] }
    return enabled === true ? { is: 'ruled-out', by: ['controller'] } : notApplicable
  }
})
