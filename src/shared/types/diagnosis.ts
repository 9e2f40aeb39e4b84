import type { Evidence, Millis } from './common.ts'

export type Confidence = 'proven' | 'likely' | 'possible'

/** Windows around the anchor, narrowest first. `state` is standing state, which counts in every window. */
export const windows = ['5m', '10m', '30m', '1h', '2h', '24h'] as const
export type WindowName = typeof windows[number] | 'state'
export const windowMillis: Record<typeof windows[number], Millis> = {
  '5m': 300_000, '10m': 600_000, '30m': 1_800_000, '1h': 3_600_000, '2h': 7_200_000, '24h': 86_400_000
}

/** One line of "do this"; `changes` marks a command that alters something. */
export interface Step { text: string, command?: string, changes: boolean }

/** A cause that was found, for one or more identifiers. */
export interface FoundCause {
  id: string
  variant?: string
  confidence: Confidence
  domains: string[]
  window: WindowName
  /** One sentence for the reader: the module's title with its blanks filled. */
  summary: string
  /** The tired reader's explanation: the module's meaning with its blanks filled. */
  meaning: string
  steps: Step[]
  evidence: Evidence[]
}

export interface Diagnosis {
  format: 1
  incident: { namespace: string, certificate: string, order: string, domains: string[] }
  verdict: 'cause' | 'unknown'
  /** Best first. Only what the reader should act on: consequences of a better one are in `alsoFits`. */
  causes: FoundCause[]
  /** Found, but explained by a better cause or weaker than it. */
  alsoFits: FoundCause[]
  ruledOut: { id: string, because: string, evidence?: Evidence[] }[]
  cannotTell: { id: string, why: string }[]
  unavailable: { source: string, why: string, fix?: string }[]
  /** Windows looked at, narrowest first; the last is the one that answered, or all. */
  searched: WindowName[]
  anchor: { time: Millis, from: string }
  /** For `unknown` and `possible`: the one or two looks that would settle it. */
  nextLooks: Step[]
  /** For `unknown`: the runbook's list, each with what is already known. */
  fallback: { advice: string, known: string }[]
}
