import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { redactObservations } from './collect/redact.ts'
import type { Observations } from './shared/types/observations.ts'

const zip = promisify(gzip)
const unzip = promisify(gunzip)

/** Observations as the store keeps them: redacted, then compressed. */
export async function packObservations (observations: Observations): Promise<Uint8Array> {
  return zip(JSON.stringify(redactObservations(observations, { pseudonyms: true })), { level: 3 })
}

/** What `packObservations` packed. Rejects when it is damaged. */
export async function unpackObservations (packed: Uint8Array): Promise<Observations> {
  return JSON.parse((await unzip(packed)).toString()) as Observations
}
