import { defineCause, notApplicable, type Citation } from '../cause.ts'
import { gotStatus, http01Facts, isGatewayStatus, readHttp01, saidByCa, selfCheckSays, solverClaim } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'routing' | 'solver' | 'probeFromOutside' | 'probeFromCluster'

/** The ingress takes the request, but cannot get an answer from the solver behind it. */
export default defineCause({
  id: 'http01-backend-error',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: [...http01Facts, 'routing', 'solver'],
  title: 'The ingress of {dnsName} cannot reach the solver behind it ({how})',
  meaning: 'The challenge path is routed, but its backend does not answer ({how}). {state}.',
  remedy: [
    { do: 'See the solver and its endpoints.', run: 'kubectl -n {namespace} get pod,service,endpointslice -l acme.cert-manager.io/http01-solver=true -o wide' },
    { do: 'See what the ingress says of its backend.', run: 'kubectl -n {namespace} describe ingress' },
    'Let the Service have a ready endpoint on port 8089, spoken to in plain HTTP (no backend-protocol HTTPS or GRPC), and let nothing stand between ingress and Pod.'
  ],
  texts: [
    ...saidByCa(gotStatus('5[01]\\d|internalservererror|badgateway|serviceunavailable|gatewaytimeout'), { confidence: 'proven' }),
    ...saidByCa('timeout (after connect|during (read|write))|\\bread timed out|awaiting response headers', { confidence: 'likely', unless: 'port=443' }),
    ...saidByCa('http/2 over http', { confidence: 'proven' }),
    ...selfCheckSays("wrong status code '5[01]\\d'", { confidence: 'likely' })
  ],
  related: ['http01-network-policy-blocks', 'http01-mesh-blocks', 'http01-solver-pod-crashing', 'http01-solver-pod-unschedulable'],

  examine ({ hits, routing, solver, ...rest }) {
    const reading = readHttp01(rest)
    const claim = solverClaim(valueIn(routing))
    const broken = claim?.backendState === 'service-missing' ? `${claim.kind} ${claim.namespace}/${claim.name} names the Service ${claim.backend}, which does not exist`
      : claim?.backendState === 'no-endpoints' ? `Service ${claim.namespace}/${claim.backend} has no ready endpoint` : undefined
    const pods = valueIn(solver)?.pods ?? []
    // A Pod that does not get ready is what the missing endpoint comes from.
    const hanging = pods.length > 0 && pods.every(({ ready }) => !ready)
    const state = broken ?? (pods.some(({ ready }) => ready) ? 'The solver Pod is ready, so something between the ingress and the Pod stops the request' : pods.length > 0 ? `The solver Pod is ${pods[0]!.phase} and not ready` : 'The state of the solver could not be seen')
    const cited: Citation<Facts>[] = [...broken === undefined ? [] : ['routing' as const], ...pods.length > 0 ? ['solver' as const] : []]
    const [best, ...more] = reading.asked ? hits.filter(({ text }) => text.wrapper !== 'self-check') : hits
    // Said by the self-check only, and by now the world gets the token: the solver was just starting.
    if (!reading.asked && reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const how = reading.failure?.status === undefined ? 'no answer in time' : `status ${reading.failure.status}`
    if (best !== undefined) return { is: 'found', confidence: broken !== undefined && !hanging && best.rule.confidence === 'likely' && reading.live ? 'proven' : best.rule.confidence, blanks: { how, state }, because: [best, ...more.slice(0, 1), ...cited] }
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    if (reading.ca !== undefined && reading.ca.kind !== 'other') return notApplicable
    if (reading.failure?.kind === 'status' && isGatewayStatus(reading.failure.status)) {
      const certain = reading.live || broken !== undefined
      return { is: 'found', confidence: certain ? 'likely' : 'possible', blanks: { how, state }, because: [reading.failure.cite, ...cited] }
    }
    return notApplicable
  }
})
