import type { AcmeProblem, Text, Wrapper } from '../../shared/types/case.ts'
import type { Evidence, Millis, Source } from '../../shared/types/common.ts'
import { peelProblem, peelWrapper } from '../acme-problem.ts'
import { normalise } from '../normalise.ts'
import { compare } from '../snapshot.ts'

/** A text before it is peeled and numbered. */
export interface RawText {
  source: Source
  ref: string
  text: string
  /** The stage when no wrapper in the text tells one. */
  fallback: Wrapper
  /** What is peeled, when `text` has words of its own in front. */
  inner?: string
  about?: readonly string[]
  attempt: Text['attempt']
  severity: Text['severity']
  time?: Millis
  first?: Millis
  last?: Millis
  count?: number
  objectKind?: string
  problem?: AcmeProblem
  /** Folded with its like when set: one entry with a count, first and last time. */
  fold?: boolean
  guessed?: boolean
}

/** Longer texts are cut: what means something stands at the start. */
const longest = 8192
/** What comes behind so many texts would be read by nobody. */
const most = 500

/** Gathers texts, folds repetitions, and hands them out in one fixed order. */
export class TextShelf {
  readonly #texts: Omit<Text, 'index'>[] = []
  // A log says the same thing thousands of times: peel and normalise it once.
  readonly #peeled = new Map<string, ReturnType<typeof peelWrapper>>()
  readonly #normal = new Map<string, string>()
  readonly #folded = new Map<string, Omit<Text, 'index'>>()

  add (raw: RawText): void {
    const whole = raw.text.slice(0, longest).trim()
    if (whole === '') return
    const inner = (raw.inner ?? whole).slice(0, longest)
    const { wrapper, core } = this.#peel(inner, raw.fallback)
    const about = [...new Set(raw.about ?? [])].sort(compare)
    const first = raw.first ?? raw.time
    const last = raw.last ?? raw.time
    const count = raw.count ?? 1
    if (raw.fold === true) {
      const key = [raw.source, wrapper, raw.attempt, about.join(','), raw.objectKind ?? '', raw.severity, raw.guessed === true ? 'guessed' : '', this.#normalise(core)].join('\n')
      const known = this.#folded.get(key)
      if (known !== undefined) {
        known.count += count
        // The words of the last one stand for all: it is the freshest.
        if (last !== undefined && (known.last === undefined || last >= known.last)) {
          known.last = last
          known.evidence = evidenceOf(raw, whole)
          known.whole = whole
          known.core = core
        }
        if (first !== undefined && (known.first === undefined || first < known.first)) known.first = first
        return
      }
      const text = make()
      this.#folded.set(key, text)
      this.#texts.push(text)
      return
    }
    this.#texts.push(make())

    function make (): Omit<Text, 'index'> {
      const problem = raw.problem ?? peelProblem(inner)
      return {
        evidence: evidenceOf(raw, whole), wrapper, core, whole, ...problem === undefined ? {} : { problem }, about, attempt: raw.attempt, count,
        ...first === undefined ? {} : { first }, ...last === undefined ? {} : { last }, severity: raw.severity, ...raw.objectKind === undefined ? {} : { objectKind: raw.objectKind }, ...raw.guessed === true ? { guessed: true } : {}
      }
    }
  }

  #peel (inner: string, fallback: Wrapper): ReturnType<typeof peelWrapper> {
    const key = `${fallback}\n${inner}`
    let peeled = this.#peeled.get(key)
    if (peeled === undefined) this.#peeled.set(key, peeled = peelWrapper(inner, fallback))
    return peeled
  }

  #normalise (core: string): string {
    let normal = this.#normal.get(core)
    if (normal === undefined) this.#normal.set(core, normal = normalise(core))
    return normal
  }

  /** A line that only says that something was put back says the stage no more than a Challenge that has the same words does. */
  #shareStages (): void {
    const stages = new Map(this.#texts.filter(({ wrapper, attempt }) => attempt === 'current' && shared.includes(wrapper)).map(({ core, wrapper }) => [this.#normalise(core), wrapper]))
    for (const text of this.#texts) if (text.wrapper === 'log' && text.attempt === 'current') text.wrapper = stages.get(this.#normalise(text.core)) ?? text.wrapper
  }

  /** Current before standing before earlier; the object closest to the CA first; then by time and words. */
  done (): Text[] {
    this.#shareStages()
    return this.#texts
      .sort((a, b) => attempts.indexOf(a.attempt) - attempts.indexOf(b.attempt) || sources.indexOf(a.evidence.source) - sources.indexOf(b.evidence.source) ||
        severities.indexOf(a.severity) - severities.indexOf(b.severity) || byNumber(b.last ?? Number.MAX_SAFE_INTEGER, a.last ?? Number.MAX_SAFE_INTEGER) || compare(a.evidence.ref, b.evidence.ref) || compare(a.whole, b.whole) ||
        compare(a.about.join(), b.about.join()) || byNumber(a.first ?? 0, b.first ?? 0))
      .slice(0, most)
      .map((text, index) => ({ index, ...text }))
  }
}

/** Stages at which a Challenge and its Events say what the log, which names none, says as well. */
const shared: readonly Wrapper[] = ['present', 'cleanup', 'self-check']

function evidenceOf ({ source, ref, time, last }: RawText, whole: string): Evidence {
  const when = last ?? time
  return { source, ref, text: whole, ...when === undefined ? {} : { time: when } }
}

const attempts: readonly Text['attempt'][] = ['current', 'standing', 'earlier']
const severities: readonly Text['severity'][] = ['error', 'warning', 'info']
const sources: readonly Source[] = ['acme', 'challenge', 'order', 'request', 'certificate', 'issuer', 'event', 'object', 'log', 'alert', 'change', 'dns', 'http', 'tls']

const byNumber = (a: number, b: number): number => a - b
