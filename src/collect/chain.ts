import type { KubeObject } from '../shared/types/kubernetes.ts'
import { created, ownerOf, text } from './fields.ts'
import type { Gathering } from './gathering.ts'

/** Everything of one Certificate (or bare Order) that is left, the attempt in question singled out. */
export interface Chain {
  certificate?: KubeObject
  /** Known from an annotation or owner although the object is gone or unreadable. */
  certificateName?: string
  request?: KubeObject
  order?: KubeObject
  requests: KubeObject[]
  orders: KubeObject[]
  /** Of the attempt in question. */
  challenges: KubeObject[]
}

const certificateNameKey = 'cert-manager.io/certificate-name'

/** From any object of the chain to the others: up by controller owner and UID, down by ownership; annotations where owners are gone. */
export async function completeChain (gathering: Gathering, start: KubeObject): Promise<Chain> {
  const namespace = start.metadata.namespace
  const [certificates, requests, orders, challenges] = await Promise.all(
    ['certificates.cert-manager.io', 'certificaterequests.cert-manager.io', 'orders.acme.cert-manager.io', 'challenges.acme.cert-manager.io'].map(resource => gathering.items(resource, { namespace }))
  ) as [KubeObject[], KubeObject[], KubeObject[], KubeObject[]]
  const owned = (objects: KubeObject[], kind: string, owner: KubeObject): KubeObject[] => objects.filter(object => ownerOf(object, kind)?.uid === owner.metadata.uid)
  const owner = (object: KubeObject | undefined, kind: string, among: KubeObject[]): KubeObject | undefined => {
    const reference = object === undefined ? undefined : ownerOf(object, kind)
    return reference === undefined ? undefined : among.find(({ metadata }) => metadata.uid === reference.uid)
  }

  let order = start.kind === 'Order' ? start : start.kind === 'Challenge' ? owner(start, 'Order', orders) : undefined
  let request = start.kind === 'CertificateRequest' ? start : owner(order, 'CertificateRequest', requests)
  const certificateName = start.kind === 'Certificate' ? start.metadata.name
    : request?.metadata.annotations?.[certificateNameKey] ?? order?.metadata.annotations?.[certificateNameKey] ?? (request === undefined ? undefined : ownerOf(request, 'Certificate')?.name)
  const certificate = start.kind === 'Certificate' ? start : owner(request, 'Certificate', certificates) ?? certificates.find(({ metadata }) => metadata.name === certificateName)

  const isOfCertificate = (object: KubeObject): boolean => certificateName !== undefined && object.metadata.annotations?.[certificateNameKey] === certificateName
  const ownRequests = certificate === undefined ? requests.filter(isOfCertificate) : [...new Set([...owned(requests, 'Certificate', certificate), ...requests.filter(isOfCertificate)])]
  request ??= currentRequest(ownRequests, certificate)
  const ownOrders = [...new Set([...ownRequests.flatMap(each => owned(orders, 'CertificateRequest', each)), ...orders.filter(isOfCertificate)])]
  order ??= request === undefined ? newest(ownOrders) : newest(owned(orders, 'CertificateRequest', request)) ?? newest(ownOrders.filter(each => ownerOf(each, 'CertificateRequest') === undefined))

  const attempt = order === undefined ? [] : owned(challenges, 'Order', order)
  return {
    certificate, certificateName, request, order,
    requests: ownRequests.length > 0 ? ownRequests : request === undefined ? [] : [request],
    orders: ownOrders.length > 0 ? ownOrders : order === undefined ? [] : [order],
    challenges: start.kind === 'Challenge' && !attempt.includes(start) ? [start, ...attempt] : attempt
  }
}

/** The request of the next revision, as cmctl finds it; else the newest that is left. */
function currentRequest (requests: KubeObject[], certificate: KubeObject | undefined): KubeObject | undefined {
  const revision = certificate?.status?.revision
  const next = String(typeof revision === 'number' ? revision + 1 : 1)
  return newest(requests.filter(({ metadata }) => metadata.annotations?.['cert-manager.io/certificate-revision'] === next)) ?? newest(requests)
}

function newest (objects: KubeObject[]): KubeObject | undefined {
  return [...objects].sort((a, b) => created(b) - created(a) || (text(b, 'metadata', 'uid') < text(a, 'metadata', 'uid') ? -1 : 1))[0]
}
