import type { Millis } from '../types/common.ts'
import { isRecord } from './kubernetes-objects.ts'
import { alwaysServed, type ResourceType } from './kubernetes-resources.ts'
import type { Purpose, Transport } from './kubernetes-transport.ts'

/** What the cluster serves, asked once for all kinds of optional groups. */
export interface Discovery {
  /** The versions worth asking, best first; none when the group or the kind is not installed. */
  versionsOf (type: ResourceType): Promise<readonly string[]>
  /** A list of this kind was answered with 404 in every version. */
  isMissing (type: ResourceType): void
}

type Groups = Map<string, string[]>

/** Somebody may install a Gateway API or a mesh while this runs. */
const keepFor: Millis = 300_000
/** Without an answer every version is tried, and discovery is left alone for a while. */
const keepFailureFor: Millis = 30_000
const giveUp: Millis = 5_000
const purpose: Purpose = { group: '', resource: 'apis', verbs: ['get'], what: 'get /apis' }

/** Absent groups cost nothing and present ones no wrong version: `GET /apis` tells both in one answer. */
export function openDiscovery (transport: Transport): Discovery {
  let known: { until: number, groups: Promise<Groups | undefined> } | undefined
  const missing = new Map<string, number>()

  function groups (): Promise<Groups | undefined> {
    if (known !== undefined && performance.now() < known.until) return known.groups
    const asked = { until: Infinity, groups: ask(transport) }
    known = asked
    void asked.groups.then(found => { asked.until = performance.now() + (found === undefined ? keepFailureFor : keepFor) })
    return asked.groups
  }

  return {
    async versionsOf (type) {
      if ((missing.get(type.resource) ?? 0) > performance.now()) return []
      if (alwaysServed.has(type.group)) return type.versions
      const found = await groups()
      if (found === undefined) return type.versions
      const served = found.get(type.group) ?? []
      const wanted = type.versions.filter(version => served.includes(version))
      // A newer or older version than we know of: its objects are read for the fields that they have.
      return wanted.length > 0 ? wanted : served.slice(0, 1)
    },
    isMissing (type) {
      if (!alwaysServed.has(type.group)) missing.set(type.resource, performance.now() + keepFor)
    }
  }
}

/** Undefined: the cluster does not say. */
async function ask (transport: Transport): Promise<Groups | undefined> {
  const answer = await transport.get('/apis', { purpose, signal: AbortSignal.timeout(giveUp) })
  if ('is' in answer) return undefined
  try {
    const body: unknown = JSON.parse(await answer.body.text())
    if (answer.statusCode !== 200 || !isRecord(body) || !Array.isArray(body.groups)) return undefined
    return new Map(body.groups.filter(isRecord).map(({ name, versions, preferredVersion }) => {
      const preferred = isRecord(preferredVersion) ? [preferredVersion] : []
      return [String(name), [...preferred, ...Array.isArray(versions) ? versions.filter(isRecord) : []].map(({ version }) => String(version))]
    }))
  } catch { return undefined }
}
