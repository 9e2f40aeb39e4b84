import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { redactObservations } from './collect/redact.ts'
import { readObservations, saveObservations } from './correlate/case-file.ts'
import type { Observations } from './shared/types/observations.ts'

const zip = promisify(gzip)
const unzip = promisify(gunzip)

/** Observations as the store keeps them: redacted, then compressed. */
export async function packObservations (observations: Observations): Promise<Uint8Array> {
  // A copy of its own: zlib's lies in a buffer of 16 kB, which would go along to another thread.
  return new Uint8Array(await zip(saveObservations(redactObservations(observations, { pseudonyms: true })), { level: 3 }))
}

/** What `packObservations` packed. Rejects when it is damaged or of another format. */
export async function unpackObservations (packed: Uint8Array): Promise<Observations> {
  return readObservations((await unzip(packed)).toString())
}
