import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cannotTell, defineCause, notApplicable, type Cause, type CauseSpec, type FactName } from './cause.ts'
import { faultsOf } from './check.ts'

/** What a site-local module exports by default: the cause as a plain object, or a function that is handed the helpers. */
type LocalModule = { default?: Spec | ((helpers: { defineCause: typeof defineCause, notApplicable: typeof notApplicable, cannotTell: typeof cannotTell }) => Cause) }
type Spec = CauseSpec<FactName, FactName, string, string, string>

export interface LocalCauses { causes: Cause[], faults: string[] }

/**
 * Loads the cause modules of a folder (`<id>.ts` or `<id>.js`), by the same contract as the
 * catalogue's. A module that is broken is left out and named in `faults`: it costs itself only.
 */
export async function loadLocalCauses (directory: string, catalogue: readonly Cause[]): Promise<LocalCauses> {
  const folder = resolve(directory)
  if (!existsSync(folder)) return { causes: [], faults: [`${folder} does not exist: create it, or remove causesDirectory`] }
  const known = new Set(catalogue.map(({ id }) => id))
  const names = readdirSync(folder).filter(name => /\.(ts|js|mjs)$/.test(name) && !/\.(test|d)\.ts$/.test(name)).sort()
  const loaded = await Promise.all(names.map(name => load(join(folder, name), name.replace(/\.\w+$/, ''))))
  const ids = new Set([...known, ...loaded.flatMap(({ cause }) => cause === undefined ? [] : [cause.id])])
  const causes: Cause[] = []
  const faults: string[] = []
  for (const { cause, fault } of loaded) {
    const found = cause === undefined ? [fault ?? ''] : [...known.has(cause.id) ? [`${cause.id}: the catalogue has this id; choose another, such as site-${cause.id}`] : [], ...faultsOf(cause, ids)]
    if (found.length === 0 && cause !== undefined) causes.push(cause)
    faults.push(...found)
  }
  return { causes, faults }
}

async function load (path: string, id: string): Promise<{ cause?: Cause, fault?: string }> {
  try {
    const { default: given } = await import(pathToFileURL(path).href) as LocalModule
    if (given === undefined) return { fault: `${id}: it has no default export; export the cause` }
    const cause = typeof given === 'function' ? given({ defineCause, notApplicable, cannotTell }) : defineCause(given)
    return cause.id === id ? { cause } : { fault: `${id}: it calls itself ${cause.id}; give the file the same name` }
  } catch (error) {
    return { fault: `${id}: it cannot be loaded: ${error instanceof Error ? error.message : String(error)}` }
  }
}
