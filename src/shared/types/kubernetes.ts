/**
 * The slices of Kubernetes objects that this program reads, as the API's JSON has them
 * (times are RFC 3339 strings). Only fields in use; everything optional that an old or odd
 * object may lack. Parsed at the edge (collect), trusted inside.
 */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec?: Record<string, unknown>
  status?: Record<string, unknown>
  [field: string]: unknown
}

export interface ObjectMeta {
  name: string
  namespace?: string
  uid: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  finalizers?: string[]
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  managedFields?: ManagedFields[]
}

/** The component of Events that we write: what we said ourselves is no evidence. */
export const ownComponent = 'acme-triage'

interface OwnerReference { apiVersion: string, kind: string, name: string, uid: string, controller?: boolean }

interface ManagedFields {
  manager?: string
  operation?: string
  apiVersion?: string
  time?: string
  subresource?: string
  fieldsV1?: Record<string, unknown>
}

/** A condition as cert-manager and Kubernetes write it. */
export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason?: string
  message?: string
  lastTransitionTime?: string
  observedGeneration?: number
}

export interface IssuerRef { name: string, kind?: string, group?: string }
