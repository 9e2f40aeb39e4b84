import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { buildAuthenticate } from './accept/authenticate.ts'
import type { SavedDiagnosis } from './collect/case-directory.ts'
import type { Cause } from './diagnose/cause.ts'
import { unpackObservations } from './packed-observations.ts'
import { findingOf } from './publish/story.ts'
import { pageHeaders, pageStyle, renderCauseList, renderCausePage, renderIncidentList, renderIncidentPage, type CauseEntry, type DeliveryRow, type IncidentRow } from './publish/page/pages.ts'
import type { Config } from './shared/config/config.ts'
import { TriageError } from './shared/errors.ts'
import type { IncidentSummary } from './shared/store/incidents.ts'
import type { IncidentState } from './shared/store/schema.ts'
import type { DeliveryStore } from './shared/store/deliveries.ts'
import type { Store } from './shared/store/store.ts'
import type { Clock } from './shared/types/common.ts'

export interface PagesOptions {
  config: Config
  store: Store
  clock: Clock
  deliveries: DeliveryStore
}

const states: readonly string[] = ['open', 'healed', 'resolved', 'merged'] satisfies IncidentState[]
const listedInJson = 5_000
const mostListed = 10_000
const listedOnPage = 100

/** What people and programs read: incidents, causes, and both as JSON. Read-only. */
export async function pages (app: FastifyInstance, { config, store, clock, deliveries }: PagesOptions): Promise<void> {
  const authenticate = buildAuthenticate({ tokens: config.pages.tokens, basic: [] })
  app.addHook('onRequest', async (request, reply) => {
    admit(request, reply)
    if (Object.values(request.query as object).some(value => typeof value !== 'string')) throw new TriageError('BAD_REQUEST', { why: 'a parameter is given twice' })
  })

  app.get('/page.css', async (_request, reply) => reply.header('content-type', 'text/css; charset=utf-8').header('cache-control', 'max-age=3600').send(pageStyle))

  app.get<{ Querystring: Query }>('/', async (request, reply) => {
    const { rows, next } = await store.incidents.page(query(request.query, listedOnPage))
    return reply.headers(pageHeaders).send(renderIncidentList(rows.map(listRow), { next, counts: await store.incidents.counts(), dead: await dead() }))
  })

  app.get<{ Querystring: Query }>('/incidents.json', async request => {
    const { rows, next } = await store.incidents.page(query(request.query, listedInJson))
    return { incidents: rows.map(summary), next: next ?? null }
  })

  app.get<{ Params: { id: string } }>('/incidents/:id', async (request, reply) => {
    const { id } = request.params
    if (id.endsWith('.json')) return reply.send(await incidentJson(id.slice(0, -'.json'.length)))
    const incident = await store.incidents.get(id)
    if (incident === undefined) throw new TriageError('NOT_FOUND', { what: `incident ${id.slice(0, 60)}` })
    const finding = await findingOf(deliveries, config, incident, clock.now())
    return reply.headers(pageHeaders).send(renderIncidentPage(finding, { deliveries: await deliveriesOf(id), json: `/incidents/${id}.json`, ...(incident.looks === 0 ? {} : { caseDownload: `/incidents/${id}/case.tar` }) }))
  })

  app.get<{ Params: { id: string }, Querystring: { look?: string, attempt?: string } }>('/incidents/:id/case.tar', async (request, reply) => {
    const { id } = request.params
    const look = await store.incidents.keptLook(id, request.query)
    if (look === undefined) throw new TriageError('NOT_FOUND', { what: `a case of incident ${id.slice(0, 60)}` })
    const [observations, { caseFiles }, { tarOf }] = await Promise.all([unpackObservations(look.data), import('./collect/case-directory.ts'), import('./collect/tar.ts')])
    const root = `case-${id}`.replaceAll(/[^\w-]/g, '_')
    const files = caseFiles(observations, { diagnosis: JSON.parse(look.diagnosis) as SavedDiagnosis })
    return reply.headers({ 'content-type': 'application/x-tar', 'content-disposition': `attachment; filename="${root}.tar"`, 'x-content-type-options': 'nosniff' }).send(tarOf(files, { root, time: look.taken_at }))
  })

  // The looks' thread has its own: here the catalogue is read when somebody asks for it.
  const catalogue = async (): Promise<readonly Cause[]> => (await import('./diagnose/index.ts')).causes

  app.get('/causes', async (_request, reply) => {
    const causes = await catalogue()
    const given = await store.incidents.causeCounts()
    return reply.headers(pageHeaders).send(renderCauseList(causes.map(cause => entry(cause, given[cause.id] ?? 0))))
  })

  app.get<{ Params: { id: string } }>('/causes/:id', async (request, reply) => {
    const cause = (await catalogue()).find(({ id }) => id === request.params.id)
    if (cause === undefined) throw new TriageError('NOT_FOUND', { what: `cause ${request.params.id.slice(0, 60)}` })
    const given = await store.incidents.causeCounts()
    return reply.headers(pageHeaders).send(renderCausePage(entry(cause, given[cause.id] ?? 0)))
  })

  const dead = async () => (await deliveries.counts()).reduce((sum, { state, count }) => state === 'dead' ? sum + count : sum, 0)

  const deliveriesOf = async (id: string): Promise<DeliveryRow[]> => (await store.incidents.deliveries(id)).map(({ kind, target, state, attempts, updated_at: updated, last_error: error }) => ({
    kind, target: target.startsWith('http') ? new URL(target).host : target, state, attempts, updated, ...(error === '' ? {} : { error })
  }))

  async function incidentJson (id: string): Promise<Record<string, unknown>> {
    const incident = await store.incidents.get(id)
    if (incident === undefined) throw new TriageError('NOT_FOUND', { what: `incident ${id.slice(0, 60)}` })
    const { diagnosis, notes } = incident
    return {
      ...summary(incident),
      notes: JSON.parse(notes) as unknown,
      diagnosis: diagnosis === null ? null : JSON.parse(diagnosis) as unknown,
      finding: await findingOf(deliveries, config, incident, clock.now()),
      looks: (await store.incidents.looks(id)).map(({ id: look, taken_at: taken, order_name: order, cause, confidence, milliseconds }) => ({ id: look, takenAt: iso(taken), order, cause, confidence, milliseconds })),
      deliveries: (await deliveriesOf(id)).map(({ updated, ...row }) => ({ ...row, updatedAt: iso(updated) })),
      audit: (await store.audit.list(id)).map(({ at, actor, action }) => ({ at: iso(at), actor, action }))
    }
  }

  function admit (request: FastifyRequest, reply: FastifyReply): void {
    const given = (request.query as { token?: unknown }).token
    const token = typeof given === 'string' ? given : /(?:^|;\s*)acme_triage_token=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    const query = token === undefined ? undefined : decode(token)
    if (authenticate({ authorization: request.headers.authorization, query }) !== 'ok') throw new TriageError('PAGE_UNAUTHENTICATED')
    // The links of a page carry no token: a browser that came with one keeps it.
    if (typeof given === 'string' && config.pages.tokens.length > 0) void reply.header('set-cookie', `acme_triage_token=${encodeURIComponent(given)}; Path=/; HttpOnly; SameSite=Lax${request.protocol === 'https' ? '; Secure' : ''}`)
  }
}

interface Query { limit?: string, after?: string, cursor?: string, state?: string }

function query ({ limit, after, cursor, state }: Query, otherwise: number): { limit: number, after?: string, state?: IncidentState } {
  const count = limit === undefined ? otherwise : Number(limit)
  if (!Number.isInteger(count) || count < 1) throw new TriageError('BAD_REQUEST', { why: `limit must be a number from 1 to ${mostListed}` })
  const from = after ?? cursor
  if (from !== undefined && !/^\d+\.\w+$/.test(from)) throw new TriageError('BAD_REQUEST', { why: 'the cursor is none that this page gave out' })
  if (state !== undefined && !states.includes(state)) throw new TriageError('BAD_REQUEST', { why: `state must be one of ${states.join(', ')}` })
  return { limit: Math.min(count, mostListed), ...(from === undefined ? {} : { after: from }), ...(state === undefined ? {} : { state: state as IncidentState }) }
}

function summary (row: IncidentSummary): Record<string, unknown> {
  return {
    id: row.id, namespace: row.namespace, certificate: row.certificate, order: row.order_name, cluster: row.cluster, state: row.state,
    cause: row.cause === '' ? null : row.cause, confidence: row.confidence === '' ? null : row.confidence, headline: row.headline,
    openedAt: iso(row.opened_at), updatedAt: iso(row.updated_at), closedAt: iso(row.closed_at), closedWhy: row.closed_why,
    diagnosedAt: iso(row.diagnosed_at), nextLookAt: iso(row.next_look_at), looks: row.looks, reopened: row.reopened, previous: row.previous_id, mergedInto: row.merged_into
  }
}

function listRow (row: IncidentSummary): IncidentRow {
  const { id, namespace, certificate, order_name: order, state, cause, confidence, headline: text, opened_at: opened, updated_at: updated, closed_at: closed } = row
  return { id, name: [namespace, certificate || order].filter(part => part !== '').join('/') || id, state, cause, confidence, summary: text, opened, updated, ...(closed === null ? {} : { closed }) }
}

function entry ({ id, title, meaning, stage, since, variants, remedy, texts }: Cause, given: number): CauseEntry {
  return {
    id, title, meaning, stage, since, variants, given,
    remedy: remedy.map(step => typeof step === 'string' ? { text: step, changes: false } : { text: step.do, command: step.run, changes: step.changes === true }),
    texts: texts.map(({ in: sources, match, confidence }) => ({ in: sources, match, confidence }))
  }
}

const iso = (time: number | null): string | null => time === null ? null : new Date(time).toISOString()

function decode (text: string): string | undefined {
  try { return decodeURIComponent(text) } catch { return undefined }
}
