import type { Generated } from 'kysely'

/**
 * Every table, once, for both dialects: times are integer milliseconds, JSON is text,
 * booleans are 0 or 1, ids are made in JavaScript.
 */
export interface Database {
  notification: NotificationTable
  rejected: RejectedTable
  alert: AlertTable
  incident: IncidentTable
  incident_key: IncidentKeyTable
  observation: ObservationTable
  job: JobTable
  delivery: DeliveryTable
  annotation_target: AnnotationTargetTable
  recorder_state: RecorderStateTable
  audit: AuditTable
  meta: MetaTable
}

/** One webhook POST that was acknowledged. `raw` is emptied after `rawKeep`. */
interface NotificationTable {
  id: string
  received_at: number
  source: string
  receiver: string
  group_key: string
  external_url: string
  reason: string
  alerts: number
  truncated: number
  raw: string | null
}

/** A body that was refused, with the answer that its sender got. */
interface RejectedTable {
  id: string
  received_at: number
  status: number
  code: string
  message: string
  remote: string
  bytes: number
  /** First 64 kB, unless credentials were refused: a stranger's words are not kept. */
  raw: string
}

/** One episode of one alert: unique by source, fingerprint and startsAt. */
export interface AlertTable {
  id: string
  source: string
  fingerprint: string
  starts_at: number
  ends_at: number | null
  status: 'firing' | 'resolved'
  labels: string
  annotations: string
  generator_url: string
  /** Null for an alert that opened nothing: another cluster's, or resolved before it was seen firing. */
  incident_id: string | null
  first_seen: number
  last_seen: number
  notification_id: string
}

export type IncidentState = 'open' | 'healed' | 'resolved' | 'merged'

/** A Certificate (or bare Order) that fails, from its first alert until it is resolved or healed. */
export interface IncidentTable {
  id: string
  /** The best key known: from the labels first, from the cluster once the subject is found. */
  key: string
  cluster: string
  namespace: string
  certificate: string
  order_name: string
  state: IncidentState
  opened_at: number
  updated_at: number
  closed_at: number | null
  closed_why: string
  /** How often it came back inside the flap window. */
  reopened: number
  /** The incident of the same key before this one. */
  previous_id: string | null
  merged_into: string | null
  /** Grows with every change that a reader should see; deliveries compare it. */
  revision: number
  cause: string
  confidence: string
  /** What the lists show; empty before the first look. */
  headline: string
  /** Alerts that max_alerts left out of the notifications. */
  truncated: number
  diagnosed_at: number | null
  looks: number
  next_look_at: number | null
  /** JSON: Diagnosis. */
  diagnosis: string | null
  /** JSON: the finding that publish renders. */
  finding: string | null
  /** JSON: string[], what a reader should know about the intake (clipped labels and the like). */
  notes: string
}

/** Keys that lead to an incident; one open incident at most for each key. */
interface IncidentKeyTable {
  key: string
  incident_id: string
  open: number
  since: number
}

/** One look at an incident: the observations, redacted and compressed, and what came of them. */
export interface ObservationTable {
  id: string
  incident_id: string
  taken_at: number
  order_uid: string
  order_name: string
  cause: string
  confidence: string
  milliseconds: number
  /** JSON: Diagnosis. */
  diagnosis: string
  /** gzip of the Observations JSON; emptied for all but the newest looks of an incident and the last of each attempt. */
  data: Uint8Array | null
}

type JobState = 'ready' | 'running' | 'dead'

/** Work to do. A finished job is deleted; `attempts` is the fence of a claim. */
export interface JobTable {
  id: string
  kind: string
  unique_key: string
  incident_id: string
  payload: string
  state: JobState
  priority: number
  run_at: number
  /** Asked for again while it ran. */
  again_at: number | null
  lease_until: number | null
  attempts: number
  failures: number
  last_error: string
  created_at: number
  updated_at: number
}

/**
 * `sent`, `dead` and `superseded` are final but for edits; `superseded` gave way to another row (a merged incident),
 * `folded` is told by a digest and may still get a message of its own.
 */
export type DeliveryState = 'intent' | 'sending' | 'ambiguous' | 'sent' | 'folded' | 'dead' | 'superseded'

/** One message or write that must reach somebody. */
export interface DeliveryTable {
  id: string
  incident_id: string
  /** `slack-root`, `slack-thread`, `slack-file`, `slack-digest`, `annotation`, `outgoing` … */
  kind: string
  /** Channel, peer or URL; empty until the deliverer has chosen it. */
  target: string
  /** `slack-root:<incident>`: what makes a repeat impossible. */
  unique_key: string
  state: DeliveryState
  /** Revision of the incident that the outside shows; 0: nothing yet. */
  revision: number
  /** Revision that it should show. */
  wanted: number
  payload: string
  /** Slack: channel and ts of the message. */
  external_channel: string
  external_id: string
  attempts: number
  run_at: number
  lease_until: number | null
  last_error: string
  created_at: number
  updated_at: number
}

/** An alert that should carry our annotations while it fires. Labels are the fingerprint's, never a peer's. */
export interface AnnotationTargetTable {
  fingerprint: string
  incident_id: string
  labels: string
  /** JSON: only our own keys. */
  annotations: string
  hash: string
  /** 0: stopped (resolved, gone, too old). */
  active: number
  until: number
  created_at: number
  updated_at: number
}

/** A change of an Order or Challenge that the flight recorder saw. */
interface RecorderStateTable {
  id: string
  at: number
  kind: string
  namespace: string
  name: string
  uid: string
  order_uid: string
  /** JSON: RecordedState. */
  data: string
  bytes: number
}

/** What a person did: buttons, silences, retries by hand. `unique_key` makes a double click one act. */
interface AuditTable {
  id: string
  at: number
  actor: string
  action: string
  incident_id: string
  unique_key: string
  data: string
}

interface MetaTable {
  key: string
  value: string
  updated_at: Generated<number> | number
}
