import { readFileSync } from 'node:fs'
import { Eta } from 'eta'
import type { Evidence, Millis } from '../../shared/types/common.ts'
import type { Finding } from '../finding.ts'
import { marks } from '../slack/render.ts'
import { duration, utcTime, whenChanged } from '../words.ts'
import { timelineSvg } from './timeline.ts'

const views = new URL('./views/', import.meta.url)
const eta = new Eta({ views: views.pathname, cache: true, autoEscape: true })

/** The one style sheet, served as /page.css: no inline style, so that the content policy can forbid it. */
export const pageStyle = readFileSync(new URL('page.css', views), 'utf8')

/** Response headers of every page: nothing is loaded from elsewhere and no script runs. */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

/** One row of the list of incidents. */
export interface IncidentRow { id: string, name: string, state: string, cause: string, confidence: string, summary: string, opened: Millis, updated: Millis, closed?: Millis }

/** What a page about a cause shows: the catalogue's own words. */
export interface CauseEntry { id: string, title: string, meaning: string, stage: string, since: string, variants: readonly string[], remedy: { text: string, command?: string, changes: boolean }[], texts: { in: string[], match: string, confidence: string }[], given: number }

/** Where a delivery of the incident stands. */
export interface DeliveryRow { kind: string, target: string, state: string, attempts: number, updated: Millis, error?: string }

const helpers = { utcTime, duration, whenChanged, marks }

/** The report of one incident. `json` is the address of the same as JSON. */
export function renderIncidentPage (finding: Finding, extra: { deliveries: DeliveryRow[], json: string, caseDownload?: string }): string {
  return eta.render('incident', { ...helpers, finding, ...extra, evidence: finding.causes.flatMap(({ evidence }) => evidence) satisfies Evidence[], timeline: timelineSvg(finding) })
}

/** The list of incidents, newest first. */
export function renderIncidentList (rows: IncidentRow[], page: { next?: string, counts: Record<string, number>, dead: number }): string {
  return eta.render('incidents', { ...helpers, rows, ...page })
}

/** The catalogue as a list. */
export function renderCauseList (entries: CauseEntry[]): string { return eta.render('causes', { ...helpers, entries }) }

/** One entry of the catalogue. */
export function renderCausePage (entry: CauseEntry): string { return eta.render('cause', { ...helpers, entry }) }
