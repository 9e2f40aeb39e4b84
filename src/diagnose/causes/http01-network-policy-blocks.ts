import { cannotTell, defineCause, notApplicable, type Citation } from '../cause.ts'
import { http01Facts, isConnectFailure, isGatewayStatus, readHttp01 } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'networkPolicy' | 'solver' | 'probeFromOutside' | 'probeFromCluster'

/** A NetworkPolicy keeps the ingress controller from the solver's port 8089. */
export default defineCause({
  id: 'http01-network-policy-blocks',
  since: '0.1.0',
  stage: 'present',
  needs: ['networkPolicy'],
  wants: [...http01Facts, 'solver'],
  title: 'A NetworkPolicy keeps the ingress away from the solver of {dnsName}: {policies}',
  meaning: '{why}. The solver itself {pod}, but the request never gets to it ({how}).',
  remedy: [
    { do: 'See the policies of the namespace.', run: 'kubectl -n {namespace} get networkpolicy -o yaml' },
    'Add a policy that selects acme.cert-manager.io/http01-solver: "true" and allows ingress on TCP 8089 from the namespace of the ingress controller.'
  ],
  related: ['http01-backend-error', 'http01-mesh-blocks', 'http01-self-check-egress-blocked'],

  examine ({ networkPolicy, solver, ...rest }) {
    const { verdict, policies, why } = networkPolicy.solverIngress
    const reading = readHttp01(rest)
    if (reading.servedOutside || reading.servedInside) return { is: 'ruled-out', by: [reading.servedOutside ? 'probeFromOutside' : 'probeFromCluster'] }
    const { failure } = reading
    const stopped = failure !== undefined && (isGatewayStatus(failure.status) || failure.kind === 'slow')
    if (verdict === 'open' || verdict === 'allowed') {
      if (stopped && networkPolicy.notEvaluated.length > 0) return cannotTell(`${networkPolicy.notEvaluated.slice(0, 3).join(', ')} present, not evaluated`)
      return { is: 'ruled-out', by: ['networkPolicy'] }
    }
    if (verdict === 'unknown') return stopped ? cannotTell(why) : notApplicable
    const pods = valueIn(solver)?.pods ?? []
    const ready = pods.some(item => item.ready)
    const blanks = { policies: policies.join(', '), why, pod: ready ? 'is ready' : pods.length > 0 ? 'is not ready' : 'is gone by now', how: failure?.status === undefined ? failure?.kind ?? 'no answer' : `status ${failure.status}` }
    // A Pod that is not even running is the nearer reason.
    if (stopped) return { is: 'found', confidence: pods.length > 0 && !ready ? 'possible' : 'likely', blanks, because: [failure.cite, 'networkPolicy', ...pods.length > 0 ? ['solver' as const] : []] }
    if (failure === undefined || isConnectFailure(failure)) return { is: 'found', confidence: 'possible', blanks, because: (failure === undefined ? ['networkPolicy'] : ['networkPolicy', failure.cite]) as [Citation<Facts>, ...Citation<Facts>[]] }
    return notApplicable
  }
})
