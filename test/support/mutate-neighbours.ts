import { mapMaterial, objectsOf, textAt, textsAt, type Material } from './material.ts'
import { mergeLogs } from './mutate-logs.ts'
import { renameAll } from './mutate-names.ts'
import { shiftTime } from './mutate-time.ts'

const controllerLog = /\/(?:cert-manager-controller|cert-manager)$/

/** Whom a case is about, for moving it elsewhere; undefined when its names cannot be told from other words. */
interface Whom { namespace: string, certificate: string, domain: string }
function whomOf (material: Material): Whom | undefined {
  const [certificate] = objectsOf(material, 'Certificate')
  const order = objectsOf(material, 'Order').at(0) ?? certificate
  const namespace = order?.metadata.namespace
  const owner = objectsOf(material, 'Certificate').find((each) => each.metadata.namespace === namespace && order!.metadata.name.startsWith(each.metadata.name.slice(0, 40))) ?? certificate
  const domain = textsAt(order, 'spec', 'dnsNames')[0]?.replace(/^\*\./, '')
  return namespace === undefined || domain === undefined || owner === undefined ? undefined : { namespace, certificate: owner.metadata.name, domain }
}

/** Somebody else's failing Certificate beside the case: its objects, and its lines in the controller's log. */
export function withNeighbour (material: Material, other: Material, { sameName = false } = {}): Material | undefined {
  const own = whomOf(material)
  const whom = whomOf(other)
  if (own === undefined || whom === undefined || whom.namespace === 'default') return undefined
  const pairs: [string, string][] = [[whom.namespace, 'zz-beside'], ...sameName ? [[whom.certificate, own.certificate]] as [string, string][] : []]
  const moved = elsewhere(shiftTime(renameAll(other, { salt: 'beside', pairs }).material, material.directory.now - other.directory.now))
  const known = new Set(material.directory.objects.map(keyOf))
  const added = moved.directory.objects.filter((object) => (object.metadata.namespace === 'zz-beside' || object.kind === 'ClusterIssuer' || (object.kind === 'Namespace' && object.metadata.name === 'zz-beside')) && !known.has(keyOf(object)))
  return { directory: { ...material.directory, objects: [...added, ...material.directory.objects] }, logs: joinLogs(material, moved) }
}

/** Hours before the attempt, the same Certificate failed for what another case shows; only its log lines and Events are left. */
export function withEarlierAttempt (material: Material, other: Material, hours = 3): Material | undefined {
  const own = whomOf(material)
  const whom = whomOf(other)
  if (own === undefined || whom === undefined || whom.namespace === 'default') return undefined
  const made = objectsOf(material, 'Order', 'CertificateRequest').map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '')).filter((time) => !Number.isNaN(time))
  if (made.length === 0) return undefined
  const pairs: [string, string][] = [[whom.namespace, own.namespace], [whom.certificate, own.certificate], [whom.domain, own.domain]]
  const moved = elsewhere(shiftTime(renameAll(other, { salt: 'earlier', pairs }).material, Math.min(...made) - hours * 3_600_000 - other.directory.now))
  const events = moved.directory.objects.filter((object) => object.kind === 'Event' && object.metadata.namespace === own.namespace && ['Order', 'Challenge'].includes(textAt(object, 'involvedObject', 'kind')))
  return { directory: { ...material.directory, objects: [...events, ...material.directory.objects] }, logs: joinLogs(material, moved) }
}

/** Addresses of their own: whose address it is matters. */
const elsewhere = (material: Material): Material => mapMaterial(material, (text) => text.replaceAll(/\b(?:203\.0\.113|198\.51\.100)\.(\d{1,3})\b/g, '192.0.2.$1'))

const keyOf = ({ kind, metadata }: { kind: string, metadata: { namespace?: string, name: string } }): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`

function joinLogs (material: Material, other: Material): Map<string, string> {
  const logs = new Map(material.logs)
  const theirs = [...other.logs].find(([key]) => controllerLog.test(key))
  const ours = [...logs].find(([key]) => controllerLog.test(key))
  if (theirs !== undefined && ours !== undefined) logs.set(ours[0], mergeLogs(ours[1], theirs[1]))
  return logs
}
