import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

type Dialect = 'sqlite' | 'postgres'

/** All steps from an empty database to today's, in order. A step that was released is never edited. */
export function migrations (dialect: Dialect): Record<string, Migration> {
  return { '0001-first': { up: database => first(database, dialect) }, '0002-due-in-order': { up: dueInOrder } }
}

/** Due jobs in the order in which they are taken, so that a storm's thousands are not sorted for each. */
async function dueInOrder (database: Kysely<unknown>): Promise<void> {
  await sql`drop index job_due`.execute(database)
  await sql`create index job_due on job (state, priority, run_at)`.execute(database)
}

async function first (database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const time = dialect === 'postgres' ? sql`bigint` : sql`integer`
  const bytes = dialect === 'postgres' ? sql`bytea` : sql`blob`
  const create = (table: string, columns: string, constraints = '') => {
    const parts = columns.trim().split(/\s*,\s*/).map(column => {
      const [name, kind, ...rest] = column.split(' ')
      const type = kind === 'time' ? time : kind === 'bytes' ? bytes : sql.raw(kind!)
      return sql`${sql.ref(name!)} ${type} ${sql.raw(rest.join(' '))}`
    })
    if (constraints) parts.push(sql.raw(constraints))
    return sql`create table ${sql.table(table)} (${sql.join(parts)})`.execute(database)
  }
  const index = (name: string, on: string, unique = false) =>
    sql`create ${sql.raw(unique ? 'unique ' : '')}index ${sql.ref(name)} on ${sql.raw(on)}`.execute(database)

  await create('notification', `id text primary key, received_at time not null, source text not null, receiver text not null,
    group_key text not null, external_url text not null, reason text not null, alerts integer not null, truncated integer not null, raw text`)
  await index('notification_received', 'notification (received_at)')

  await create('rejected', `id text primary key, received_at time not null, status integer not null, code text not null,
    message text not null, remote text not null, bytes integer not null, raw text not null`)
  await index('rejected_received', 'rejected (received_at)')

  await create('alert', `id text primary key, source text not null, fingerprint text not null, starts_at time not null, ends_at time,
    status text not null, labels text not null, annotations text not null, generator_url text not null, incident_id text,
    first_seen time not null, last_seen time not null, notification_id text not null`)
  await index('alert_episode', 'alert (fingerprint, source, starts_at)', true)
  await index('alert_incident', 'alert (incident_id)')

  await create('incident', `id text primary key, key text not null, cluster text not null, namespace text not null,
    certificate text not null, order_name text not null, state text not null, opened_at time not null, updated_at time not null,
    closed_at time, closed_why text not null, reopened integer not null, previous_id text, merged_into text, revision integer not null,
    cause text not null, confidence text not null, headline text not null, truncated integer not null, diagnosed_at time, looks integer not null, next_look_at time,
    diagnosis text, finding text, notes text not null`)
  await index('incident_opened', 'incident (opened_at, id)')
  await index('incident_state', 'incident (state, opened_at)')

  await create('incident_key', 'key text not null, incident_id text not null, open integer not null, since time not null',
    'primary key (key, incident_id)')
  await index('incident_key_open', 'incident_key (key) where open = 1', true)
  await index('incident_key_incident', 'incident_key (incident_id)')

  await create('observation', `id text primary key, incident_id text not null, taken_at time not null, order_uid text not null,
    order_name text not null, cause text not null, confidence text not null, milliseconds integer not null,
    diagnosis text not null, data bytes`)
  await index('observation_incident', 'observation (incident_id, taken_at)')

  await create('job', `id text primary key, kind text not null, unique_key text not null, incident_id text not null, payload text not null,
    state text not null, priority integer not null, run_at time not null, again_at time, lease_until time,
    attempts integer not null, failures integer not null, last_error text not null, created_at time not null, updated_at time not null`)
  await index('job_unique', 'job (unique_key)', true)
  await index('job_due', 'job (state, run_at)')

  await create('delivery', `id text primary key, incident_id text not null, kind text not null, target text not null,
    unique_key text not null, state text not null, revision integer not null, wanted integer not null, payload text not null,
    external_channel text not null, external_id text not null, attempts integer not null, run_at time not null, lease_until time,
    last_error text not null, created_at time not null, updated_at time not null`)
  await index('delivery_unique', 'delivery (unique_key)', true)
  await index('delivery_due', 'delivery (state, run_at)')
  await index('delivery_incident', 'delivery (incident_id)')
  await index('delivery_target', 'delivery (target, kind, created_at)')

  await create('annotation_target', `fingerprint text primary key, incident_id text not null, labels text not null,
    annotations text not null, hash text not null, active integer not null, until time not null,
    created_at time not null, updated_at time not null`)
  await index('annotation_target_active', 'annotation_target (active, until)')
  await index('annotation_target_incident', 'annotation_target (incident_id)')

  await create('recorder_state', `id text primary key, at time not null, kind text not null, namespace text not null, name text not null,
    uid text not null, order_uid text not null, data text not null, bytes integer not null`)
  await index('recorder_state_subject', 'recorder_state (namespace, at)')
  await index('recorder_state_at', 'recorder_state (at)')

  await create('audit', `id text primary key, at time not null, actor text not null, action text not null, incident_id text not null,
    unique_key text not null, data text not null`)
  await index('audit_unique', 'audit (unique_key)', true)
  await index('audit_incident', 'audit (incident_id, at)')

  await create('meta', 'key text primary key, value text not null, updated_at time not null')
}
