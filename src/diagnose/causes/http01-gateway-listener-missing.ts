import type { RoutingFacts } from '../../shared/types/case.ts'
import { defineCause, notApplicable } from '../cause.ts'
import { http01Facts, readHttp01 } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Gateway = RoutingFacts['gateways'][number]

/** The Gateway has no plain HTTP listener on port 80 that takes the host. */
export default defineCause({
  id: 'http01-gateway-listener-missing',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: [...http01Facts, 'solver', 'routing'],
  title: '{gateway} has no HTTP listener on port 80 for {dnsName}',
  meaning: 'HTTP-01 begins on port 80, and {gateway} does not listen there for {dnsName}: {detail}.',
  remedy: [
    { do: 'See its listeners.', run: 'kubectl get gateway -A -o yaml | grep -A6 "listeners:"' },
    'Add a listener with protocol HTTP, port 80 and no hostname (or one that covers the name), allowedRoutes from All.',
    'Let the solver\'s parentRefs name that listener by sectionName.'
  ],
  related: ['http01-route-not-accepted', 'http01-port80-blocked'],

  examine ({ solver, routing, ...rest }) {
    const routes = valueIn(solver)?.routes ?? []
    const facts = valueIn(routing)
    const reading = readHttp01(rest)
    const host = rest.identifier.name
    const parents = routes.flatMap(({ parents: list }) => list)
    const taken = parents.some(({ accepted }) => accepted?.status === 'True')
    const said = parents.find(({ accepted }) => accepted?.status === 'False' && /^(NoMatchingListenerHostname|NoReadyListeners)$/.test(accepted.reason ?? ''))
    if (said !== undefined && !taken) return { is: 'found', confidence: 'proven', blanks: { gateway: said.ref, detail: said.accepted!.message || said.accepted!.reason! }, because: ['solver'] }
    if (reading.servedOutside || reading.servedInside) return { is: 'ruled-out', by: [reading.servedOutside ? 'probeFromOutside' : 'probeFromCluster'] }

    const wanted = parents.length > 0 ? parents.map(({ ref }) => ref.replace(/^Gateway | \(.*\)$/g, '')) : configured(valueIn(rest.challenge)?.solverConfig)
    if (wanted.length === 0 || facts === undefined) return notApplicable
    const gateways = facts.gateways.filter(({ namespace, name }) => wanted.includes(`${namespace}/${name}`))
    if (gateways.length === 0) return notApplicable
    const listening = gateways.some(gateway => gateway.listeners.some(listener => isPlain(listener) && covers(listener.hostname, host)))
    // There is one, and the controller could not open it.
    const fitting = gateways.flatMap(({ listeners }) => listeners).filter(listener => isPlain(listener) && covers(listener.hostname, host))
    const shut = fitting.every(({ conditions }) => conditions.some(isShut)) ? fitting.flatMap(({ name, conditions }) => conditions.filter(isShut).map(({ type, reason, message }) => `listener ${name} is ${type === 'Conflicted' ? 'in conflict' : `not ${type}`}: ${message || reason || 'no reason given'}`)) : []
    if (shut.length > 0 && reading.failure !== undefined) return { is: 'found', confidence: 'likely', blanks: { gateway: `Gateway ${gateways[0]!.namespace}/${gateways[0]!.name}`, detail: shut[0]! }, because: ['routing', reading.failure.cite] }
    if (listening) return { is: 'ruled-out', by: ['routing'] }
    const [gateway] = gateways
    // Some controllers map a listener on another port to 80 at their front.
    const elsewhere = gateways.some(({ listeners }) => listeners.some(({ protocol }) => protocol === 'HTTP'))
    return { is: 'found', confidence: elsewhere && !otherHost(gateway!, host) ? 'possible' : 'likely', blanks: { gateway: `Gateway ${gateway!.namespace}/${gateway!.name}`, detail: describe(gateway!) }, because: reading.failure === undefined ? ['routing'] : ['routing', reading.failure.cite] }
  }
})

const isShut = ({ type, status }: Gateway['conditions'][number]): boolean => type === 'Conflicted' ? status === 'True' : (type === 'Accepted' || type === 'Programmed') && status === 'False'
const isPlain = ({ port, protocol }: Gateway['listeners'][number]): boolean => port === 80 && protocol === 'HTTP'
const otherHost = ({ listeners }: Gateway, host: string): boolean => listeners.some(listener => isPlain(listener) && !covers(listener.hostname, host))
function covers (pattern: string | undefined, host: string): boolean {
  if (pattern === undefined || pattern.toLowerCase() === host.toLowerCase()) return true
  return pattern.startsWith('*.') && host.toLowerCase().endsWith(pattern.slice(1).toLowerCase())
}
const describe = ({ listeners }: Gateway): string => listeners.length === 0 ? 'it has no listener' : `its listeners are ${listeners.map(({ name, protocol, port, hostname }) => `${name} (${protocol} ${port}${hostname === undefined ? '' : `, ${hostname}`})`).join(', ')}`

/** `namespace/name` of the Gateways in a solver stanza. */
function configured (stanza: Record<string, unknown> | undefined): string[] {
  const http01 = stanza?.http01 as { gatewayHTTPRoute?: { parentRefs?: { namespace?: string, name?: string }[] } } | undefined
  return (http01?.gatewayHTTPRoute?.parentRefs ?? []).flatMap(({ namespace, name }) => namespace === undefined || name === undefined ? [] : [`${namespace}/${name}`])
}
