import { RE2JS } from 're2js'

const flags = RE2JS.CASE_INSENSITIVE | RE2JS.DOTALL

/**
 * One pattern, compiled when a text first gives reason to try it: most of a catalogue's patterns
 * are never needed by a process, and all of them together take half a second and 20 MB.
 *
 * `.{0,200}` becomes two hundred copies of an instruction. A pattern with such repeats is tried in
 * a wider form without their upper bounds first; whatever that does not find, the exact one cannot.
 */
export class Matcher {
  readonly #source: string
  readonly #origin: string
  readonly #wider: string
  #exact: RE2JS | undefined
  #wide: RE2JS | undefined

  /** `origin` names the pattern in the error when it is not RE2 syntax. */
  constructor (source: string, origin: string) {
    this.#source = source
    this.#origin = origin
    this.#wider = source.replaceAll(/(\\.)|\{(\d+),(\d+)\}/g, (whole, escaped: string | undefined, least: string, most: string) =>
      escaped !== undefined || Number(most) < unrolled ? whole : least === '0' ? '*' : `{${least},}`)
  }

  test (text: string): boolean {
    if (this.#wider !== this.#source) {
      this.#wide ??= this.#compile(this.#wider)
      if (!this.#wide.test(text)) return false
    }
    return this.#compiled().test(text)
  }

  /** The named groups of the first match. */
  groups (text: string): Record<string, string> {
    const matcher = this.#compiled().matcher(text)
    if (!matcher.find()) return {}
    return Object.fromEntries(Object.entries(matcher.getNamedGroups()).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  }

  #compiled (): RE2JS {
    return this.#exact ??= this.#compile(this.#source)
  }

  #compile (source: string): RE2JS {
    try {
      return RE2JS.compile(source, flags)
    } catch (error) {
      throw new Error(`${this.#origin} is not RE2 syntax: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** Shorter repeats cost less than a second pattern. */
const unrolled = 16
