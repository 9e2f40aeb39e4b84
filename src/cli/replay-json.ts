import type { Evidence, Millis } from '../shared/types/common.ts'
import type { Diagnosis, FoundCause, Step } from '../shared/types/diagnosis.ts'

/** The diagnosis as `replay --json` prints it (README, "Cases"): times are RFC 3339, steps are sentences. */
export function diagnosisJson (diagnosis: Diagnosis): object {
  return {
    ...diagnosis,
    causes: diagnosis.causes.map(causeJson),
    alsoFits: diagnosis.alsoFits.map(causeJson),
    ruledOut: diagnosis.ruledOut.map(({ evidence, ...rest }) => ({ ...rest, ...(evidence && { evidence: evidence.map(evidenceJson) }) })),
    anchor: { ...diagnosis.anchor, time: timeJson(diagnosis.anchor.time) },
    nextLooks: diagnosis.nextLooks.map(stepJson)
  }
}

function causeJson ({ steps, evidence, ...rest }: FoundCause): object {
  return { ...rest, steps: steps.map(stepJson), commands: steps.flatMap(({ command, changes }) => command === undefined ? [] : [{ command, changes }]), evidence: evidence.map(evidenceJson) }
}

const stepJson = ({ text, command }: Step): string => command === undefined ? text : `${text}: ${command}`

function evidenceJson ({ source, ref, time, text }: Evidence): object {
  return { source, ref, ...(time !== undefined && { time: timeJson(time) }), text }
}

function timeJson (time: Millis): string | undefined {
  return Math.abs(time) <= 8.64e15 ? new Date(time).toISOString().replace('.000Z', 'Z') : undefined
}
