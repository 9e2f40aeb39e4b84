import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { alertsOf, openWorldClients, replayConfig } from '../../src/cli/replay-case.ts'
import { buildInvestigate, type Investigation } from '../../src/investigate.ts'
import type { Diagnosis } from '../../src/shared/types/diagnosis.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import { readCaseDirectory, readExpectation, type CaseDirectory, type Expectation } from '../../src/world/case-directory.ts'
import { openWorld } from '../../src/world/world.ts'

/** A case directory as values that may be changed, its logs as text. */
export interface Material {
  directory: Omit<CaseDirectory, 'logs'>
  /** By `namespace/pod/container`. */
  logs: Map<string, string>
}

/** Reads a case and what is right about it. */
export async function readMaterial (path: string): Promise<{ material: Material, expectation?: Expectation }> {
  const { logs, ...directory } = await readCaseDirectory(path)
  const texts = await Promise.all([...logs].map(async ([key, file]) => [key, await readFile(file, 'utf8')] as const))
  const expectation = await readExpectation(path)
  return { material: { directory, logs: new Map(texts) }, ...expectation && { expectation } }
}

/** Diagnoses material with the production code in a world of its own. */
export async function replayMaterial ({ directory, logs }: Material): Promise<Investigation> {
  const place = await mkdtemp(join(tmpdir(), 'acme-triage-material-'))
  try {
    const files = await Promise.all([...logs].map(async ([key, text], index) => {
      const file = join(place, `${index}.log`)
      await writeFile(file, text)
      return [key, file] as const
    }))
    const given: CaseDirectory = { ...directory, logs: new Map(files) }
    const world = await openWorld(given)
    const clients = openWorldClients(world, replayConfig(world))
    try {
      return await buildInvestigate(replayConfig(world), clients, world.clock)(alertsOf(given))
    } finally {
      await clients.close()
      await world.close()
    }
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

/** What a change that means nothing must not change. Names are told apart by `rename`. */
export function essence ({ verdict, causes }: Diagnosis, rename: (text: string) => string = (text) => text): string[] {
  if (verdict === 'unknown') return ['unknown']
  return causes.map(({ id, variant = '', confidence, domains }) => `${id} (${variant}) ${confidence} ${domains.map(rename).toSorted().join(' ')}`)
}

/** Every string of the material, keys of maps and objects too, as `change` makes it. */
export function mapMaterial ({ directory, logs }: Material, change: (text: string) => string): Material {
  return { directory: mapStrings(directory, change), logs: mapStrings(logs, change) }
}

/** A deep copy with every string changed. */
export function mapStrings<T> (value: T, change: (text: string) => string): T {
  const walk = (each: unknown): unknown => {
    if (typeof each === 'string') return change(each)
    if (Array.isArray(each)) return each.map(walk)
    if (each instanceof Map) return new Map([...each].map(([key, inner]) => [walk(key), walk(inner)]))
    if (typeof each !== 'object' || each === null) return each
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [change(key), walk(inner)]))
  }
  return walk(value) as T
}

/** The material with other objects; what `change` answers undefined for is left out. */
export function mapObjects (material: Material, change: (object: KubeObject) => KubeObject | undefined): Material {
  return { ...material, directory: { ...material.directory, objects: material.directory.objects.flatMap((object) => change(object) ?? []) } }
}

export const objectsOf = ({ directory }: Material, ...kinds: string[]): KubeObject[] => directory.objects.filter(({ kind }) => kinds.includes(kind))

/** A value deep in an object, as text; '' when there is none. */
export function textAt (object: unknown, ...path: string[]): string {
  let value: unknown = object
  for (const key of path) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  return typeof value === 'string' ? value : ''
}

/** Texts in a list deep in an object. */
export function textsAt (object: unknown, ...path: string[]): string[] {
  let value: unknown = object
  for (const key of path) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : []
}
