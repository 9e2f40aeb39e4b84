import { defineCause, notApplicable } from '../cause.ts'
import { hintOf, http01Facts, isGatewayStatus, readHttp01, saidByCa, selfCheckSays } from '../http01.ts'
import { valueIn } from '../reading.ts'

/** A service mesh wants mutual TLS where the solver speaks plain HTTP. */
export default defineCause({
  id: 'http01-mesh-blocks',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: 'The service mesh stops plain HTTP to the solver of {dnsName}',
  meaning: 'The solver Pod has no sidecar and speaks plain HTTP on 8089; {where} demands mesh TLS, so the connection breaks ({how}).',
  remedy: [
    { do: 'See the mesh\'s rules.', run: 'kubectl get peerauthentication,destinationrule,authorizationpolicy -A' },
    'Istio: a PeerAuthentication with mode PERMISSIVE (or portLevelMtls 8089: DISABLE) for acme.cert-manager.io/http01-solver: "true", and a DestinationRule with tls.mode DISABLE for the solver Services.',
    'Linkerd, ambient and others: exclude the solver Pods and cert-manager from the mesh.'
  ],
  texts: [
    ...selfCheckSays('upstream connect error or disconnect/reset before headers', { confidence: 'likely' }),
    ...saidByCa('upstream connect error or disconnect/reset before headers|rbac: access denied', { confidence: 'likely' })
  ],
  related: ['http01-backend-error', 'http01-network-policy-blocks', 'http01-connection-filtered'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    if (reading.servedOutside || reading.servedInside) return { is: 'ruled-out', by: [reading.servedOutside ? 'probeFromOutside' : 'probeFromCluster'] }
    const hint = hintOf(valueIn(routing), 'mesh')
    const { failure } = reading
    const [best] = hits
    const envoy = [reading.outside, reading.inside].find(probe => probe?.perAddress.some(({ hops }) => hops.some(({ body }) => body !== undefined && /upstream connect error/.test(body))))
    const where = hint === undefined ? 'the mesh' : `${hint.where} (${hint.value})`
    // Envoy's words when an AuthorizationPolicy turns a request away.
    const denied = [reading.outside, reading.inside].find(probe => probe?.perAddress.some(({ hops }) => hops.some(({ body }) => body !== undefined && /RBAC: access denied/i.test(body))))
    const how = failure?.status === undefined ? failure?.kind ?? 'no answer' : `status ${failure.status}`
    if (best !== undefined) return { is: 'found', confidence: hint === undefined ? 'possible' : 'likely', blanks: { where, how }, because: hint === undefined ? [best] : [best, 'routing'] }
    if (denied !== undefined) return { is: 'found', confidence: 'likely', blanks: { where, how: 'RBAC: access denied' }, because: [denied === reading.outside ? 'probeFromOutside' : 'probeFromCluster', ...hint === undefined ? [] : ['routing' as const]] }
    if (failure === undefined) return notApplicable
    const fits = isGatewayStatus(failure.status) || failure.kind === 'reset' || failure.kind === 'closed'
    if (!fits) return hint === undefined ? notApplicable : { is: 'ruled-out', by: [failure.cite], because: `The answer was ${how}, which mesh TLS does not give.` }
    if (hint !== undefined) return { is: 'found', confidence: 'likely', blanks: { where, how }, because: [failure.cite, 'routing'] }
    return envoy === undefined ? notApplicable : { is: 'found', confidence: 'possible', blanks: { where, how }, because: [failure.cite] }
  }
})
