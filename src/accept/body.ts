import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { reasonOf, TriageError } from '../shared/errors.ts'
import type { Alert, Millis } from '../shared/types/common.ts'
import type { AlertmanagerWebhook } from '../shared/types/generated/alertmanager-webhook.ts'
import { fingerprint } from '../shared/fingerprint.ts'

type WebhookAlert = AlertmanagerWebhook['alerts'][number]

/** A notification in our own words, and what had to be cut to keep it. */
export interface Notification {
  receiver: string
  groupKey: string
  externalUrl: string
  reason: string
  truncated: number
  alerts: { alert: Alert, notes: string[] }[]
}

/** Longest label and annotation value that is kept; a rule that puts a log into a label should not fill the disk. */
const labelKept = 8_192
const annotationKept = 16_384
const nameKept = 1_024
const entriesKept = 300

const schema = JSON.parse(readFileSync(new URL('../../schemas/alertmanager-webhook.schema.json', import.meta.url), 'utf8')) as object
const ajv = new Ajv({ strict: true, strictTypes: false, allErrors: false, coerceTypes: false, removeAdditional: false, useDefaults: false })
addFormats.default(ajv)
const validate = ajv.compile<AlertmanagerWebhook>(schema)

/** Reads a webhook body; throws a TriageError whose message is meant for the sender's log. */
export function readBody (text: string, now: Millis): Notification {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new TriageError('WEBHOOK_JSON', { why: text.trim() === '' ? 'it is empty' : clip(reasonOf(error), 200) }, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const missing = ['version', 'alerts'].find(field => !Object.hasOwn(value, field))
    if (missing !== undefined) throw new TriageError('WEBHOOK_PAYLOAD', { field: missing })
  }
  if (!validate(value)) {
    const [error] = validate.errors ?? []
    const allowed = (error?.params as { allowedValues?: unknown[] } | undefined)?.allowedValues
    throw new TriageError('WEBHOOK_SCHEMA', { why: clip(`body${error?.instancePath ?? ''} ${error?.message ?? 'is not understood'}${allowed === undefined ? '' : `: ${allowed.join(', ')}`}`, 400) })
  }
  return {
    receiver: value.receiver ?? '',
    groupKey: value.groupKey ?? '',
    externalUrl: value.externalURL ?? '',
    reason: clip(value.notification_reason ?? '', 100),
    truncated: value.truncatedAlerts ?? 0,
    alerts: value.alerts.map(alert => readAlert(alert, value.status ?? 'firing', now))
  }
}

function readAlert (alert: WebhookAlert, groupStatus: 'firing' | 'resolved', now: Millis): { alert: Alert, notes: string[] } {
  const labels = keep(alert.labels, labelKept)
  const annotations = keep(alert.annotations ?? {}, annotationKept)
  const status = alert.status ?? groupStatus
  const startsAt = time(alert.startsAt)
  const endsAt = time(alert.endsAt)
  const notes = [
    ...(labels.clipped.length > 0 ? [`Labels too long to keep whole: ${labels.clipped.join(', ')}.`] : []),
    ...(annotations.clipped.length > 0 ? [`Annotations too long to keep whole: ${annotations.clipped.join(', ')}.`] : []),
    ...(startsAt === undefined ? ['The sender gave no start time; the time of arrival is used.'] : [])
  ]
  const given = alert.fingerprint ?? ''
  return {
    notes,
    alert: {
      status,
      labels: labels.kept,
      annotations: annotations.kept,
      // A constant for senders without a start: a redelivery must be known as one.
      startsAt: startsAt ?? (endsAt ?? startOfDay(now)),
      ...(status === 'resolved' ? { endsAt: endsAt ?? now } : {}),
      generatorURL: clip(alert.generatorURL ?? '', annotationKept),
      fingerprint: /^[\w.:-]{1,64}$/.test(given) ? given : fingerprint(alert.labels)
    }
  }
}

function keep (map: Record<string, string | null>, longest: number): { kept: Record<string, string>, clipped: string[] } {
  const clipped: string[] = []
  const entries = Object.entries(map)
  const kept = entries.slice(0, entriesKept).flatMap(([name, value]) => {
    const text = value ?? ''
    if (name.length > nameKept || name === '__proto__') {
      clipped.push(clip(name, 40))
      return []
    }
    if (text.length > longest) clipped.push(clip(name, 40))
    return [[name, clip(text, longest)] as const]
  })
  if (entries.length > entriesKept) clipped.push(`${entries.length - entriesKept} more`)
  return { kept: Object.fromEntries(kept), clipped: clipped.slice(0, 10) }
}

/** Alertmanager says "not yet" with the year 1. */
function time (text: string | null | undefined): Millis | undefined {
  const value = Date.parse(text ?? '')
  return Number.isNaN(value) || value <= 0 ? undefined : value
}

const startOfDay = (now: Millis): Millis => now - now % 86_400_000

/** Cut between characters, never inside one. */
function clip (text: string, longest: number): string {
  if (text.length <= longest) return text
  const last = text.charCodeAt(longest - 2)
  return `${text.slice(0, last >= 0xd800 && last <= 0xdbff ? longest - 2 : longest - 1)}…`
}
