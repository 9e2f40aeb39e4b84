import type { AcmeLook, Observations } from '../../shared/types/observations.ts'
import { peelWrapper, problemFromDocument } from '../acme-problem.ts'
import { isOwnName, type Scope } from '../attempt-scope.ts'
import { fields, fieldsList, string } from '../facts/fields.ts'
import { authorizationsOf } from '../objects.ts'
import { millisOf } from '../snapshot.ts'
import type { TextShelf } from './shelf.ts'

/** The CA's own problem documents: of this attempt's URLs only. */
export function addCaTexts (shelf: TextShelf, looks: readonly AcmeLook[], scope: Scope): void {
  const earlier = new Set(scope.chain.orders.filter(order => order !== scope.chain.order).flatMap(order => [string(fields(order.status).url), ...authorizationsOf(order).map(({ url }) => url)]))
  for (const look of looks) {
    if (look.look.is !== 'seen' || look.kind === 'directory') continue
    const own = scope.urls.includes(look.url)
    const attempt = own ? 'current' as const : earlier.has(look.url) ? 'earlier' as const : undefined
    const body = fields(look.look.value.body)
    const identifier = string(fields(body.identifier).value).toLowerCase()
    // URLs that no object names any more still name their identifier.
    const about = identifier === '' ? aboutOfUrl(look.url, scope) : [body.wildcard === true && scope.seeds.some(({ name, wildcard }) => name === identifier && !wildcard) ? `*.${identifier}` : identifier]
    if (attempt === undefined && !(scope.urls.length === 0 && about.some(name => isOwnName(scope, name)))) continue
    const documents: { error: unknown, time?: number }[] = [{ error: body.error, time: undefined }, ...fieldsList(body.challenges).map(challenge => ({ error: challenge.error, time: millisOf(challenge.validated) }))]
    if (look.kind === 'challenge') documents[0]!.time = millisOf(body.validated)
    for (const { error, time } of documents) {
      const problem = problemFromDocument(error)
      if (problem === undefined) continue
      const { detail, type } = fields(error)
      shelf.add({
        source: 'acme', ref: look.url, text: `${problem.status ?? ''} ${string(type)}: ${string(detail)}`.trim(), about: about.filter(name => isOwnName(scope, name)), attempt: attempt ?? 'current',
        fallback: 'ca', severity: 'error', problem, ...time === undefined ? {} : { time }
      })
    }
  }
}

function aboutOfUrl (url: string, { seeds }: Scope): string[] {
  return seeds.filter(({ challenge, authorization }) => authorization?.url === url || string(fields(challenge?.spec).url) === url || string(fields(challenge?.spec).authorizationURL) === url).map(({ name }) => name)
}

/** The alert's `reason` label is the Challenge's own reason at that time; annotations count only when they quote a problem. */
export function addAlertTexts (shelf: TextShelf, { alerts, subject }: Observations, scope: Scope): void {
  for (const { labels, annotations, startsAt, status } of alerts) {
    if (status !== 'firing') continue
    const about = [labels.domain, labels.dns_name, labels.dnsName].flatMap(name => name === undefined ? [] : [name.replace(/^\*\./, '').toLowerCase()]).filter(name => scope.names.has(name))
    const ref = `alert ${labels.alertname ?? ''}`.trim()
    const named = `${scope.namespace}/${labels.name ?? labels.challenge ?? ''}`
    const own = scope.own.has(named) || !['Challenge', 'Order'].includes(subject.hint.kind) || !scope.earlier.has(named)
    const texts = [labels.reason, ...Object.values(annotations).map(quotedIn)]
    for (const text of texts) if (text !== undefined) shelf.add({ source: 'alert', ref, text, about, attempt: own ? 'current' : 'earlier', fallback: 'alert', severity: 'error', time: startsAt, fold: true })
  }
}

/** What an annotation quotes of cert-manager or the CA, without the sentence that people put in front. */
function quotedIn (text: string): string | undefined {
  if (peelWrapper(text, 'alert').wrapper !== 'alert') return text
  const quoted = /(?:Error presenting challenge|Waiting for (?:HTTP|DNS)-01 challenge propagation|propagation check failed|Error accepting authorization|Accepting challenge authorization failed|acme: authorization error|Failed to (?:create|finalize) Order|error creating new order|Error initializing issuer)\b/i.exec(text)
  if (quoted !== null) return text.slice(quoted.index)
  return /urn:ietf:params:acme:error:/.test(text) ? text : undefined
}
