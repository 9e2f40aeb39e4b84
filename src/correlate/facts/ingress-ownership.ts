import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { Snapshot } from '../snapshot.ts'
import { annotationsOf, at, nameOf, string } from './fields.ts'
import { classOf, familyOfClass, familyOfName, type Family, type IngressController } from './ingress-controllers.ts'
import { statusAddresses } from './solver-objects.ts'

/** Whether a controller takes an Ingress as its own, and which family that is. */
export interface Ownership { state: 'owned' | 'unowned' | 'unknown', why: string, family: Family }

/** What ownership is judged by. `classesSeen` is false when the IngressClasses could not be listed. */
export interface OwnershipInput { view: Snapshot, controllers: readonly IngressController[], classesSeen: boolean }

/**
 * Does some controller own this Ingress? An address in its status settles it. Otherwise each known
 * controller is asked by its own rules; and an address that others of the same kind have got, but
 * not this one, speaks for nobody.
 */
export function ownershipOf (ingress: KubeObject, { view, controllers, classesSeen }: OwnershipInput): Ownership {
  const { name, by } = classOf(ingress)
  const classObject = name === undefined ? undefined : view.find('IngressClass', undefined, name)
  const controllerName = string(at(classObject?.spec, 'controller'))
  const family = controllerName !== '' ? familyOfClass(controllerName) : familyOf(ingress, name, controllers)
  const addresses = statusAddresses(ingress)
  if (addresses.length > 0) return { state: 'owned', why: `has the address ${addresses.join(', ')}`, family }

  const said = describe(name, by)
  if (by === 'spec' && classObject === undefined && classesSeen && !controllers.some(controller => takesByName(controller, name!))) {
    return { state: 'unowned', why: `${said}, and no IngressClass has that name`, family }
  }
  const judging = controllers.filter(controller => controller.family !== 'istio' || family === 'istio')
  const answers = judging.map(controller => ({ controller, takes: takes(controller, name, by, controllerName) }))
  const taker = answers.find(({ takes: answer }) => answer === true)
  if (taker !== undefined) return { state: 'owned', why: `${said}, which ${taker.controller.name} serves`, family: taker.controller.family }
  if (answers.length > 0 && answers.every(({ takes: answer }) => answer === false) && family !== 'gce' && family !== 'alb') {
    return { state: 'unowned', why: `${said}, which ${answers.map(({ controller }) => controller.name).join(', ')} does not serve`, family }
  }
  return byPeers(ingress, view, said, family)
}

function describe (name: string | undefined, by: 'spec' | 'annotation' | 'none'): string {
  return by === 'none' ? 'has no class' : by === 'spec' ? `has ingressClassName ${name}` : `has only the annotation kubernetes.io/ingress.class=${name}`
}

/** Other Ingresses that got an address tell which class works. */
function byPeers (ingress: KubeObject, view: Snapshot, said: string, family: Family): Ownership {
  const { name, by } = classOf(ingress)
  const peers = view.byKind('Ingress').filter(other => other.metadata.uid !== ingress.metadata.uid && statusAddresses(other).length > 0)
  const alike = peers.filter(other => classOf(other).name === name && classOf(other).by === by)
  const differently = peers.find(other => classOf(other).name !== name || classOf(other).by !== by)
  // The one spelling that this cloud's controller reads: it is merely not ready with it.
  const native = by === 'annotation' && /^gce(-internal)?$/.test(name ?? '')
  if (alike.length === 0 && differently !== undefined && !native) {
    const other = classOf(differently)
    return { state: 'unowned', why: `${said} and has no address; ${nameOf(differently)} ${describe(other.name, other.by)} and has one`, family }
  }
  return { state: 'unknown', why: `${said} and has no address`, family }
}

function familyOf (ingress: KubeObject, name: string | undefined, controllers: readonly IngressController[]): Family {
  if (name !== undefined) {
    const named = familyOfName(name)
    const running = controllers.find(controller => controller.flags.get('ingress-class') === name || controller.flags.get('providers.kubernetesingress.ingressclass') === name)
    return running?.family ?? named
  }
  if ([...annotationsOf(ingress).keys()].some(key => key.startsWith('ingress.gcp.kubernetes.io/') || key.startsWith('ingress.kubernetes.io/url-map'))) return 'gce'
  return controllers.length === 1 ? controllers[0]!.family : 'other'
}

function takesByName ({ family, flags }: IngressController, name: string): boolean {
  return family === 'ingress-nginx' && flags.get('ingress-class-by-name') === 'true' && (flags.get('ingress-class') ?? 'nginx') === name
}

/** One controller's own rule. Undefined: it cannot be told from its flags. */
function takes (controller: IngressController, name: string | undefined, by: 'spec' | 'annotation' | 'none', classController: string): boolean | undefined {
  const { family, flags } = controller
  switch (family) {
    case 'ingress-nginx': return nginxTakes(controller, name, by, classController)
    case 'traefik': return traefikTakes(flags, name, by, classController)
    case 'nginx.org': {
      const own = flags.get('ingress-class') ?? 'nginx'
      return by === 'none' ? undefined : by === 'spec' ? name === own && (classController === '' || familyOfClass(classController) === family) : name === own
    }
    case 'contour': case 'haproxytech': case 'haproxy-ingress': case 'kong': case 'apisix': case 'cilium': case 'istio': {
      // HAProxy Technologies' class controllers carry the controller's own class as their last part.
      const suffix = family === 'haproxytech' ? /^haproxy\.org\/ingress-controller\/(.+)$/.exec(classController)?.[1] : undefined
      if (by === 'spec' && suffix !== undefined && flags.has('ingress.class')) return suffix === flags.get('ingress.class')
      if (by === 'spec' && classController !== '') return familyOfClass(classController) === family ? undefined : false
      const own = flags.get('ingress-class') ?? flags.get('ingress.class') ?? flags.get('ingress-class-name')
      if (name !== undefined && own !== undefined) return name === own
      return name !== undefined && familyOfName(name) !== family && familyOfName(name) !== 'other' ? false : undefined
    }
    // Whatever a class of this kind says, the cloud's own controllers show no Pods to ask.
    default: return undefined
  }
}

/** Version 1.0 and newer go by IngressClass and its controller; older ones by the annotation alone. */
function nginxTakes (controller: IngressController, name: string | undefined, by: 'spec' | 'annotation' | 'none', classController: string): boolean | undefined {
  const { flags, images } = controller
  const annotationValue = flags.get('ingress-class') ?? 'nginx'
  const old = images.some(image => /[:@]v?0\./.test(image))
  if (by === 'annotation') return name === annotationValue
  if (by === 'none') return flags.get('watch-ingress-without-class') === 'true' || (old && annotationValue === 'nginx')
  if (takesByName(controller, name!)) return true
  if (classController === '') return name === annotationValue ? undefined : false
  return classController.toLowerCase() === (flags.get('controller-class') ?? 'k8s.io/ingress-nginx').toLowerCase()
}

/** By ingressClassName only through an IngressClass object of its own; without one, an empty class or `traefik`. */
function traefikTakes (flags: Map<string, string>, name: string | undefined, by: 'spec' | 'annotation' | 'none', classController: string): boolean | undefined {
  const own = flags.get('providers.kubernetesingress.ingressclass') ?? ''
  if (by === 'spec') {
    if (classController === '') return false
    return familyOfClass(classController) === 'traefik' && (own === '' || own === name)
  }
  if (by === 'annotation') return own === '' ? name === 'traefik' : name === own
  return own === ''
}
