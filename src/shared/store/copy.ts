import { constants } from 'node:fs'
import { copyFile, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseFile } from './dialect.ts'

/** Salts of SQLite's write-ahead log (fileformat2 §4.1): new ones each time it begins anew. */
const salts = { from: 16, to: 24 }
const tries = 5

/**
 * The embedded store of `dataDir` as a copy of its own, beside it, that may be opened while the service
 * has the original locked. Undefined when there is no store. Nothing of the original changes.
 */
export async function copyStore (dataDir: string): Promise<{ dataDir: string, remove (): Promise<void> } | undefined> {
  const source = join(dataDir, databaseFile)
  if (await head(source) === undefined) return undefined
  const copy = await mkdtemp(join(dataDir, 'copy-'))
  const remove = (): Promise<void> => rm(copy, { recursive: true, force: true })
  try {
    for (let left = tries; ; left--) {
      // The log after the database: what is moved from the one to the other meanwhile is then in both,
      // unless the log has begun anew.
      const before = await head(`${source}-wal`)
      await copyFile(source, join(copy, databaseFile), constants.COPYFILE_FICLONE)
      const log = join(copy, `${databaseFile}-wal`)
      if (before === undefined) await rm(log, { force: true })
      else await copyFile(`${source}-wal`, log, constants.COPYFILE_FICLONE)
      const after = await head(before === undefined ? `${source}-wal` : log)
      if (before === after) return { dataDir: copy, remove }
      if (left === 1) throw new Error('the store changes faster than it can be copied')
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** What tells one beginning of the log from the next; '' for an empty file, undefined for none. */
async function head (path: string): Promise<string | undefined> {
  let file
  try {
    file = await open(path)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(salts.to), 0, salts.to, 0)
    return buffer.subarray(salts.from, bytesRead).toString('hex')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  } finally {
    await file?.close()
  }
}
