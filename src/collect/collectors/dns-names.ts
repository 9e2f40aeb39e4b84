import type { DnsLook } from '../../shared/types/observations.ts'

/** The name and every name above it, closest first, the top-level domain last; at most twelve. */
export function ancestors (name: string): string[] {
  const labels = name.split('.')
  return labels.map((_, index) => labels.slice(index).join('.')).slice(-12)
}

/** The data of the answer's records of one type, in the order given. */
export function dataOf (look: DnsLook | undefined, type: string, owner?: string): string[] {
  if (look?.look.is !== 'seen') return []
  return look.look.value.answers.filter((record) => record.type === type && (owner === undefined || record.name === owner)).map((record) => record.data)
}

/** Where the CNAME links of an answer lead from this name, in order; loops end the walk. */
export function cnameChain (look: DnsLook | undefined, name: string): string[] {
  if (look?.look.is !== 'seen') return []
  const links = new Map(look.look.value.answers.filter((record) => record.type === 'CNAME').map((record) => [record.name, record.data]))
  const chain: string[] = []
  for (let at = links.get(name); at !== undefined && !chain.includes(at) && chain.length < 16; at = links.get(at)) chain.push(at)
  return chain
}
