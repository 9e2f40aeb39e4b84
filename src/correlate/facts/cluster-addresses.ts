import type { RoutingFacts } from '../../shared/types/case.ts'
import type { Snapshot } from '../snapshot.ts'
import { at, fieldsList, nameOf, string, strings } from './fields.ts'
import type { IngressController } from './ingress-controllers.ts'
import { statusAddresses } from './solver-objects.ts'

/**
 * Every address at which this cluster answers from outside: load balancers, external IPs, what
 * Ingresses and Gateways were given, and the Nodes when a controller listens on them.
 */
export function clusterAddresses (view: Snapshot, controllers: readonly IngressController[]): RoutingFacts['clusterAddresses'] {
  const found = new Map<string, string>()
  const add = (address: string, owner: string): void => { if (address !== '' && !found.has(address)) found.set(address, owner) }

  for (const service of view.byKind('Service')) {
    for (const address of [...statusAddresses(service), ...strings(at(service.spec, 'externalIPs'))]) add(address, nameOf(service))
    if (at(service.spec, 'type') === 'LoadBalancer') add(string(at(service.spec, 'loadBalancerIP')), nameOf(service))
  }
  for (const gateway of view.byKind('Gateway')) {
    for (const { value } of fieldsList(at(gateway.status, 'addresses'))) add(string(value), nameOf(gateway))
  }
  for (const ingress of view.byKind('Ingress')) for (const address of statusAddresses(ingress)) add(address, nameOf(ingress))
  if (listensOnNodes(view, controllers)) {
    for (const node of view.byKind('Node')) {
      for (const { type, address } of fieldsList(at(node.status, 'addresses'))) if (string(type) !== 'Hostname') add(string(address), nameOf(node))
    }
  }
  return [...found].map(([address, owner]) => ({ address, owner }))
}

function listensOnNodes (view: Snapshot, controllers: readonly IngressController[]): boolean {
  const pods = controllers.flatMap(controller => controller.pods)
  const hostPort = pods.some(pod => at(pod.spec, 'hostNetwork') === true || fieldsList(at(pod.spec, 'containers')).some(({ ports }) => fieldsList(ports).some(({ hostPort: port }) => typeof port === 'number')))
  return hostPort || !view.byKind('Service').some(service => at(service.spec, 'type') === 'LoadBalancer')
}
