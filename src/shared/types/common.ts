/** A moment, in whole milliseconds since the epoch (UTC). */
export type Millis = number

/** Where a piece of evidence was seen. The words are public: they stand in the JSON output. */
export type Source =
  | 'alert' | 'certificate' | 'request' | 'order' | 'challenge' | 'issuer' | 'event' | 'log'
  | 'object' | 'change' | 'dns' | 'http' | 'tls' | 'acme'

/** One thing seen: where, when, and the exact words. `time` is absent for standing state. */
export interface Evidence {
  source: Source
  /** What a person would look up: `Challenge shop/web-tls-1-42-77`, `log cert-manager/cert-manager-abc`, `A shop.example.com at public 1.1.1.1`. */
  ref: string
  time?: Millis
  /** The words of the program that said it, or one sentence that states the comparison. */
  text: string
}

/** Three values, never one: a look that failed is evidence too. */
export type Look<T> = Seen<T> | Absent | Unavailable
export interface Seen<T> { is: 'seen', value: T }
export interface Absent { is: 'absent' }
/** `why` is for people; `fix` is the exact permission or setting that would make it visible. */
export interface Unavailable { is: 'unavailable', why: string, fix?: string }

/** `value` was seen. */
export const seen = <T>(value: T): Seen<T> => ({ is: 'seen', value })
/** The place was looked at and nothing is there. */
export const absent: Absent = { is: 'absent' }
/** The place could not be looked at. */
export const unavailable = (why: string, fix?: string): Unavailable => fix === undefined ? { is: 'unavailable', why } : { is: 'unavailable', why, fix }

/** One entry of a webhook body, as Alertmanager posts it (AM template/template.go `Alert`). */
export interface Alert {
  status: 'firing' | 'resolved'
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: Millis
  /** Absent while it fires (Alertmanager sends year 1). */
  endsAt?: Millis
  generatorURL: string
  fingerprint: string
}

/** Time comes from here everywhere, so that replay and tests run the production code. */
export interface Clock { now(): Millis }
