import type { KubernetesClient } from '../shared/clients/kubernetes.ts'
import { orAborted } from '../shared/clients/or-aborted.ts'
import { seen, type Look } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { ListLook, LookReport } from '../shared/types/observations.ts'

export interface ListQuestion {
  namespace?: string
  labelSelector?: string
  maxItems?: number
  /** Only some of what comes is kept, so the list proves nothing about a name that is not in it. */
  partial?: boolean
}

/** Asks each question of one collection once, remembers every answer, and keeps what bears on the incident. */
export class Gathering {
  readonly kubernetes: KubernetesClient
  readonly signal: AbortSignal
  readonly lists: ListLook[] = []
  readonly looks: LookReport[] = []
  private readonly asked = new Map<string, Promise<Look<KubeObject[]>>>()
  /** Lists of all namespaces that came home complete: no namespace needs asking once more. */
  private readonly whole = new Map<string, KubeObject[]>()
  private readonly objects = new Map<string, KubeObject>()

  constructor (kubernetes: KubernetesClient, signal: AbortSignal) {
    this.kubernetes = kubernetes
    this.signal = signal
  }

  /** All objects of a resource, in one namespace or in all. Asked again it gives the same answer. */
  list (resource: string, question: ListQuestion = {}): Promise<Look<KubeObject[]>> {
    const { namespace, partial = false, ...rest } = question
    const key = JSON.stringify([resource, namespace, rest.labelSelector])
    const known = this.asked.get(key)
    if (known !== undefined) return known
    const what = `${resource}${namespace === undefined ? '' : ` in ${namespace}`}`
    const whole = namespace === undefined || rest.labelSelector !== undefined ? undefined : this.whole.get(resource)
    if (whole !== undefined) {
      const own = seen(whole.filter(({ metadata }) => metadata.namespace === namespace))
      this.lists.push({ resource, namespace, look: seen({ count: own.value.length, ...(partial ? { truncated: true } : {}) }) })
      this.asked.set(key, Promise.resolve(own))
      return Promise.resolve(own)
    }
    const answer = (async (): Promise<Look<KubeObject[]>> => {
      const began = performance.now()
      const look = await orAborted(this.kubernetes.list(resource, { namespace, ...rest, signal: this.signal }), this.signal, `list ${what}`)
      if (look.is !== 'seen') {
        this.lists.push({ resource, namespace, look })
        this.note(what, look, began)
        return look
      }
      const { items, truncated } = look.value
      if (namespace === undefined && !truncated && rest.labelSelector === undefined) this.whole.set(resource, items)
      this.lists.push({ resource, namespace, look: seen({ count: items.length, ...(truncated || partial || rest.labelSelector !== undefined ? { truncated: true } : {}) }) })
      this.note(what, look, began)
      return seen(items)
    })()
    this.asked.set(key, answer)
    return answer
  }

  /** The items of a list, or none: for the places where a failed look only means less to work with. */
  async items (resource: string, question?: ListQuestion): Promise<KubeObject[]> {
    const look = await this.list(resource, question)
    return look.is === 'seen' ? look.value : []
  }

  async get (resource: string, namespace: string | undefined, name: string): Promise<Look<KubeObject>> {
    const key = JSON.stringify([resource, namespace, name, 'get'])
    const known = this.asked.get(key)
    if (known !== undefined) return (await known).is === 'seen' ? seen((await known as { value: KubeObject[] }).value[0]!) : await known as Look<never>
    const what = `${resource} ${namespace === undefined ? '' : `${namespace}/`}${name}`.slice(0, 200)
    const began = performance.now()
    const answer = orAborted(this.kubernetes.get(resource, namespace, name, { signal: this.signal }), this.signal, `get ${what}`)
    this.asked.set(key, answer.then(look => look.is === 'seen' ? seen([look.value]) : look))
    const look = await answer
    this.lists.push({ resource, namespace, name, look: look.is === 'seen' ? seen({ count: 1 }) : look })
    this.note(what, look, began)
    return look
  }

  /** These go into the observations; an object that was kept before stays as it is. */
  keep (objects: Iterable<KubeObject>): void {
    for (const object of objects) {
      if (object.kind === 'Secret') continue
      const { uid } = object.metadata
      if (!this.objects.has(uid)) this.objects.set(uid, object)
    }
  }

  kept (): KubeObject[] {
    return [...this.objects.values()]
  }

  /** One row for "11 of 12 looks answered". */
  note (what: string, look: Look<unknown>, began: number, source = 'kubernetes'): void {
    const row: LookReport = { what, source, is: look.is, ms: Math.round(performance.now() - began) }
    if (look.is === 'unavailable') {
      row.why = look.why
      if (look.fix !== undefined) row.fix = look.fix
    }
    this.looks.push(row)
  }
}
