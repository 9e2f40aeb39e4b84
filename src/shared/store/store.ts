import { join } from 'node:path'
import { Kysely, PostgresDialect, SqliteDialect, sql } from 'kysely'
import type { Transaction } from 'kysely'
import { Migrator } from 'kysely/migration'
import { TriageError, reasonOf } from '../errors.ts'
import { newId, type NewId } from '../ids.ts'
import type { Clock, Millis } from '../types/common.ts'
import { auditStore, type AuditStore } from './audit.ts'
import { databaseFile, isStoreFailure, openSqlite } from './dialect.ts'
import { housekeeper, type Housekeeper } from './housekeeping.ts'
import { incidentStore, type IncidentStore } from './incidents.ts'
import { intakeStore, type IntakeStore } from './intake.ts'
import { jobStore, type JobStore } from './jobs.ts'
import { migrations } from './migrations.ts'
import { recorderStore, type RecorderStore } from './recorder-states.ts'
import type { Database } from './schema.ts'

/** Everything that must outlive the process, grouped by concern. The only place with SQL. */
export interface Store {
  intake: IntakeStore
  incidents: IncidentStore
  jobs: JobStore
  recorder: RecorderStore
  audit: AuditStore
  housekeeping: Housekeeper
  /** For the other files of this folder. */
  context: StoreContext
  /** Throws a TriageError when a write would fail now. */
  checkWritable (): Promise<void>
  close (): Promise<void>
}

/** What every part of the store is made of. */
export interface StoreContext {
  database: Kysely<Database>
  dialect: 'sqlite' | 'postgres'
  clock: Clock
  newId: NewId
  /**
   * One transaction; on PostgreSQL those of the same `lock` run one after the other across replicas.
   * In the embedded store requests are read between two of them. `lazy`: what would be done again if it were
   * missing after a power failure; it reaches the disk with the next that is not.
   */
  transaction<T> (work: (transaction: Transaction<Database>) => Promise<T>, options?: { lock?: number, lazy?: boolean }): Promise<T>
}

export interface StoreSettings {
  dataDir: string
  databaseUrl?: string
  clock: Clock
  newId?: NewId
  /** A closed incident that fires again inside this time is opened again instead of a new one. */
  flapWindow: Millis
  /** How long a start waits for the process before it to let go of the file. */
  lockWaitMs?: number
  /** Upper bound of the embedded database in pages of 4 kB. */
  maxPages?: number
}

/** Opens the embedded store (`dataDir/acme-triage.db`) or PostgreSQL, and brings the schema up to date. */
export async function openStore (settings: StoreSettings): Promise<Store> {
  const { clock, flapWindow } = settings
  const dialect = settings.databaseUrl === undefined ? 'sqlite' : 'postgres'
  const database = dialect === 'sqlite' ? embedded(settings) : await postgres(settings.databaseUrl!)
  const turn = turns()
  const context: StoreContext = {
    database,
    dialect,
    clock,
    newId: settings.newId ?? newId,
    transaction: async (work, { lock, lazy = false } = {}) => {
      if (dialect === 'sqlite') {
        await turn()
        return lazy ? withoutWaiting(database, work) : database.transaction().execute(work)
      }
      return database.transaction().execute(async transaction => {
        if (lock !== undefined) await sql`select pg_advisory_xact_lock(${lock})`.execute(transaction)
        return work(transaction)
      })
    }
  }
  try {
    await migrate(context)
    const jobs = jobStore(context)
    // The embedded store has one process: whatever runs in it died with the one before.
    if (dialect === 'sqlite') await jobs.release()
    return {
      intake: intakeStore(context, { flapWindow }),
      incidents: incidentStore(context),
      jobs,
      recorder: recorderStore(context),
      audit: auditStore(context),
      housekeeping: housekeeper(context),
      context,
      checkWritable: () => checkWritable(context),
      close: () => database.destroy()
    }
  } catch (error) {
    await database.destroy().catch(() => {})
    throw error
  }
}

/**
 * A turn of the event loop for each. The embedded store answers at once: without a pause one
 * transaction would follow the other, and no request would be read until the last has ended.
 */
function turns (): () => Promise<void> {
  let last = Promise.resolve()
  return () => last = last.then(() => new Promise(resolve => { setImmediate(resolve) }))
}

/** A commit that does not wait for the disk. WAL is one file: the next commit that waits takes it along. */
function withoutWaiting<T> (database: Kysely<Database>, work: (transaction: Transaction<Database>) => Promise<T>): Promise<T> {
  return database.connection().execute(async connection => {
    await sql`pragma synchronous = normal`.execute(connection)
    try {
      return await connection.transaction().execute(work)
    } finally {
      await sql`pragma synchronous = full`.execute(connection)
    }
  })
}

function embedded ({ dataDir, lockWaitMs, maxPages }: StoreSettings): Kysely<Database> {
  const path = dataDir === ':memory:' ? dataDir : join(dataDir, databaseFile)
  return new Kysely<Database>({ dialect: new SqliteDialect({ database: openSqlite(path, { lockWaitMs, maxPages }) }) })
}

async function postgres (connectionString: string): Promise<Kysely<Database>> {
  const { default: pg } = await import('pg')
  // int8 as number: our integers are milliseconds and counts, far below 2^53.
  pg.types.setTypeParser(20, Number)
  const pool = new pg.Pool({ connectionString, max: 8, connectionTimeoutMillis: 5_000, keepAlive: true, application_name: 'acme-triage' })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {})
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
}

async function migrate ({ database, dialect }: StoreContext): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations(dialect) } })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  if (/corrupted migrations|previously executed migration .* is missing/.test(reasonOf(error))) throw new TriageError('STORE_NEWER', { why: reasonOf(error) }, { cause: error })
  throw new TriageError('STORE_UNAVAILABLE', { why: reasonOf(error) }, { cause: error })
}

async function checkWritable ({ database, clock }: StoreContext): Promise<void> {
  const row = { key: 'checked', value: '', updated_at: clock.now() }
  try {
    await database.insertInto('meta').values(row).onConflict(conflict => conflict.column('key').doUpdateSet(row)).execute()
  } catch (error) {
    throw storeError(error)
  }
}

/** A refusal of the disk or the database as the error that the outside is told; anything else as it is. */
export function storeError (error: unknown): unknown {
  if (error instanceof TriageError || !isStoreFailure(error)) return error
  return new TriageError('STORE_UNAVAILABLE', { why: reasonOf(error) }, { cause: error })
}
