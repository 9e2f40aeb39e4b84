import type { KubeObject } from '../../shared/types/kubernetes.ts'

/** The objects of one look, by kind, namespace and name. */
export interface ClusterView {
  all (kind: string, namespace?: string): readonly KubeObject[]
  get (kind: string, namespace: string | undefined, name: string): KubeObject | undefined
  /** Objects whose ownerReferences name this UID. */
  ownedBy (uid: string): readonly KubeObject[]
}

/** Indexes the objects once; order of the input does not matter for `get`, and is kept in `all`. */
export function viewCluster (objects: readonly KubeObject[]): ClusterView {
  const byKind = new Map<string, KubeObject[]>()
  const byOwner = new Map<string, KubeObject[]>()
  const byName = new Map<string, KubeObject>()
  for (const object of objects) {
    push(byKind, object.kind, object)
    byName.set(key(object.kind, object.metadata.namespace, object.metadata.name), object)
    for (const { uid } of object.metadata.ownerReferences ?? []) push(byOwner, uid, object)
  }
  return {
    all: (kind, namespace) => (byKind.get(kind) ?? []).filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
    get: (kind, namespace, name) => byName.get(key(kind, namespace, name)),
    ownedBy: uid => byOwner.get(uid) ?? []
  }
}

const key = (kind: string, namespace: string | undefined, name: string): string => `${kind}\n${namespace ?? ''}\n${name}`

function push (map: Map<string, KubeObject[]>, name: string, object: KubeObject): void {
  const list = map.get(name)
  if (list === undefined) map.set(name, [object])
  else list.push(object)
}
