import type { Millis } from '../../shared/types/common.ts'
import type { LogRole } from '../../shared/types/observations.ts'

/** One entry of a log, whatever grammar it was written in; a block over several lines is one entry. */
export interface LogRecord {
  /** The kubelet's time when the line carried one, else the entry's own. */
  time?: Millis
  level: 'info' | 'warning' | 'error' | 'fatal' | 'unknown'
  /** `sync.go:208`; '' when foreign. */
  caller: string
  /** `cert-manager.controller.acceptChallenge`, dots between the parts in every grammar. */
  logger: string
  message: string
  /** Keys as printed (`resource_name`, `dnsName` …); the first of a key that is repeated with an equal value, else the last. */
  fields: Map<string, string>
  err?: string
  /** The words as logged, without the kubelet's time; the lines of a block joined by a newline. */
  raw: string
  /** The log broke off inside this entry, or it was longer than what is kept. */
  cut?: boolean
  /** No grammar of cert-manager's: usage text, another program, the rest of a cut line. */
  foreign?: boolean
  /** Where it stood. */
  from: { namespace: string, pod: string, container: string, role: LogRole }
}

/** The parts that a grammar finds; the reader adds place and time. */
export type ParsedEntry = Omit<LogRecord, 'from' | 'raw' | 'time'> & { time?: Millis }

/** Longer lines are cut before they are read. */
export const maxLineLength = 16_384
/** Longer blocks end here; the rest is dropped. */
export const maxBlockLength = 65_536
