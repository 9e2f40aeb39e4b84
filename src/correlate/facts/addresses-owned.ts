import { list, field, text } from './outside-looks.ts'
import type { Observations } from '../../shared/types/observations.ts'

/** Addresses and host names that this cluster owns, each with the object that says so. */
export function ownedAddresses (observations: Observations): { addresses: Map<string, string>, hosts: Map<string, string> } {
  const addresses = new Map<string, string>()
  const hosts = new Map<string, string>()
  const keep = (entry: { ip?: unknown, hostname?: unknown }, owner: string): void => {
    const ip = text(entry.ip)
    const host = text(entry.hostname)?.toLowerCase().replace(/\.$/, '')
    if (ip !== undefined && !addresses.has(ip)) addresses.set(ip, owner)
    if (host !== undefined && host !== '' && !hosts.has(host)) hosts.set(host, owner)
  }
  for (const object of observations.objects) {
    const { namespace, name } = object.metadata
    const owner = `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
    switch (object.kind) {
      case 'Service':
        for (const ip of list(object.spec?.['externalIPs'])) keep({ ip }, owner)
        for (const entry of list(field(object.status, 'loadBalancer', 'ingress'))) keep(entry as object, owner)
        break
      case 'Ingress':
        for (const entry of list(field(object.status, 'loadBalancer', 'ingress'))) keep(entry as object, owner)
        break
      case 'Gateway':
        for (const entry of list(object.status?.['addresses'])) {
          const value = field(entry, 'value')
          keep(field(entry, 'type') === 'Hostname' ? { hostname: value } : { ip: value }, owner)
        }
        break
      case 'Node':
        for (const entry of list(object.status?.['addresses'])) if (String(field(entry, 'type')).endsWith('IP')) keep({ ip: field(entry, 'address') }, owner)
        break
    }
  }
  // Addresses that a load balancer's own host name had when we looked.
  for (const look of observations.dns) {
    const owner = hosts.get(look.name)
    if (owner === undefined || look.look.is !== 'seen') continue
    for (const record of look.look.value.answers) if (record.type === 'A' || record.type === 'AAAA') keep({ ip: record.data }, owner)
  }
  return { addresses, hosts }
}
