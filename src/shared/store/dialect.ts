import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { SqliteDatabase, SqliteStatement } from 'kysely'
import { TriageError, reasonOf } from '../errors.ts'

/** The embedded database in the data directory. */
export const databaseFile = 'acme-triage.db'

/** The prepared statements that are kept: more than this program has of one shape each. */
const statementCache = 400

/**
 * Opens the embedded database for one process alone, durable at each commit (WAL, synchronous FULL;
 * lazy transactions ask for less), as the shape that Kysely's SQLite dialect expects.
 */
export function openSqlite (path: string, options: { lockWaitMs?: number, maxPages?: number } = {}): SqliteDatabase & { raw: DatabaseSync } {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
  const raw = new DatabaseSync(path, { timeout: options.lockWaitMs ?? 5_000, enableForeignKeyConstraints: false })
  try {
    // Before anything is written: it has no effect on a database that exists.
    raw.exec('pragma auto_vacuum = incremental')
    raw.exec('pragma locking_mode = exclusive')
    raw.exec('pragma journal_mode = wal')
    raw.exec('pragma synchronous = full')
    raw.exec('pragma journal_size_limit = 16777216')
    raw.exec('pragma temp_store = memory')
    raw.exec('pragma cache_size = -8000')
    if (options.maxPages !== undefined) raw.exec(`pragma max_page_count = ${options.maxPages}`)
    // The exclusive lock is taken by the first write only: take it now, so that a second process fails at start.
    raw.exec('begin immediate')
    raw.exec('commit')
  } catch (error) {
    raw.close()
    throw isLocked(error)
      ? new TriageError('STORE_LOCKED', { path }, { cause: error })
      : new TriageError('STORE_UNAVAILABLE', { why: `${path}: ${reasonOf(error)}` }, { cause: error })
  }
  const statements = new Map<string, SqliteStatement>()
  return {
    raw,
    prepare (sql) {
      if (sql === 'rollback') return rollback(raw)
      const kept = statements.get(sql)
      if (kept !== undefined) {
        statements.delete(sql)
        statements.set(sql, kept)
        return kept
      }
      const statement = shim(raw.prepare(sql))
      statements.set(sql, statement)
      if (statements.size > statementCache) statements.delete(statements.keys().next().value!)
      return statement
    },
    close () {
      statements.clear()
      raw.close()
    }
  }
}

function shim (statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: parameters => statement.all(...parameters as SQLInputValue[]),
    run: parameters => statement.run(...parameters as SQLInputValue[]),
    iterate: parameters => statement.iterate(...parameters as SQLInputValue[])
  }
}

/** A full disk has rolled back by itself; a second rollback would hide the reason behind its own error. */
function rollback (raw: DatabaseSync): SqliteStatement {
  return {
    reader: false,
    all: () => [],
    run: () => {
      if (raw.isTransaction) raw.exec('rollback')
      return { changes: 0, lastInsertRowid: 0 }
    },
    iterate: () => [][Symbol.iterator]()
  }
}

const sqliteCode = (error: unknown): number | undefined => {
  const { errcode } = error as { errcode?: unknown }
  return typeof errcode === 'number' ? errcode & 0xff : undefined
}

// SQLITE_BUSY, SQLITE_LOCKED
const isLocked = (error: unknown): boolean => [5, 6].includes(sqliteCode(error) ?? -1)

// BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN: the disk's fault, not the statement's.
const diskCodes = [5, 6, 8, 10, 13, 14]
// Connection lost, too many connections, shutdown, read-only standby, disk full (SQLSTATE classes).
const postgresStates = /^(08|53|57|58|25006|40001|40P01)/

/** True when the store itself refuses, so that the same write may pass later. */
export function isStoreFailure (error: unknown): boolean {
  if (error instanceof TriageError) return error.code === 'STORE_UNAVAILABLE' || error.code === 'STORE_LOCKED'
  const code = sqliteCode(error)
  if (code !== undefined) return diskCodes.includes(code)
  const state = (error as { code?: unknown }).code
  if (typeof state !== 'string') return /Connection terminated|timeout exceeded when trying to connect|database is not open/.test(reasonOf(error))
  return postgresStates.test(state) || /^E[A-Z]+$/.test(state)
}
