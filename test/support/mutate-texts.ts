import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import { mapObjects, type Material } from './material.ts'

type Change = (text: string) => string

/** Every text that some program wrote about the failure: reasons and messages of status, Events' messages, and the errors in logs. */
function changeTexts (material: Material, change: Change, { events = change, logs = undefined as Change | undefined } = {}): Material {
  const changed = mapObjects(material, (object) => object.kind === 'Event' ? eventWith(object, events) : { ...object, ...object.status && { status: statusWith(object.status, change) } })
  return logs === undefined ? changed : { ...changed, logs: new Map([...material.logs].map(([key, text]) => [key, logs(text)])) }
}

function eventWith (event: KubeObject, change: Change): KubeObject {
  const { message, note } = event
  return { ...event, ...typeof message === 'string' && { message: change(message) }, ...typeof note === 'string' && { note: change(note) } }
}

/** `reason` of ACME objects is prose; `reason` of a condition is a word. */
function statusWith (status: Record<string, unknown>, change: Change): Record<string, unknown> {
  const prose = (value: unknown): unknown => typeof value === 'string' && value.includes(' ') ? change(value) : value
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, key === 'reason' || key === 'message' ? prose(inner) : walk(inner)]))
  }
  return walk(status) as Record<string, unknown>
}

/** Changes that a text meets on its way and that mean nothing. */
export const noises: Record<string, (material: Material) => Material> = {
  'combined Events': (material) => changeTexts(material, (text) => text, { events: (text) => `(combined from similar events): ${text}` }),
  'doubled spaces': (material) => changeTexts(material, (text) => `  ${text.replaceAll(' ', '  ')} \n`),
  'line breaks for spaces': (material) => changeTexts(material, (text) => { let count = 0; return text.replaceAll(' ', () => ++count % 7 === 0 ? '\n' : ' ') }),
  'typographic quotes': (material) => changeTexts(material, (text) => text.replaceAll(/"([^"]*)"/g, '“$1”')),
  'single quotes': (material) => changeTexts(material, (text) => text.replaceAll('"', "'")),
  'escaped quotes': (material) => changeTexts(material, (text) => text.replaceAll('"', String.raw`\"`)),
  'Events cut at 1024 characters': (material) => changeTexts(material, (text) => text, { events: (text) => text.length > 1_024 ? `${text.slice(0, 1_021)}...` : text }),
  'an ellipsis behind every text': (material) => changeTexts(material, (text) => `${text}...`),
  'request ids redacted': (material) => mapStringsOf(material, (text) => text.replaceAll(/\b(request ?id:?|requestid:?) [\w-]{8,}/gi, '$1 <redacted>')),
  'capitals in states and reasons': (material) => mapObjects(material, (object) => object.kind === 'Order' || object.kind === 'Challenge' ? withState(object) : object),
  'Windows line ends': (material) => ({ ...material, logs: new Map([...material.logs].map(([key, text]) => [key, text.replaceAll('\n', '\r\n')])) }),
  'byte order mark': (material) => ({ ...material, logs: new Map([...material.logs].map(([key, text]) => [key, `\uFEFF${text}`])) }),
  'no last line end': (material) => ({ ...material, logs: new Map([...material.logs].map(([key, text]) => [key, text.trimEnd()])) })
}

const mapStringsOf = (material: Material, change: Change): Material => changeTexts(material, change, { logs: change })

function withState (object: KubeObject): KubeObject {
  const state = object.status?.['state']
  return typeof state === 'string' ? { ...object, status: { ...object.status, state: state.charAt(0).toUpperCase() + state.slice(1) } } : object
}

/** What somebody may put into a text to make its reader stumble. */
export const hostile: readonly string[] = [
  `${'a'.repeat(8_000)}!`, `${'(a+)+'.repeat(800)}$`, `${' '.repeat(9_000)}x`, `${'a.'.repeat(6_000)}com`, `${'"\\'.repeat(5_000)}`, `${'<@U123> <!channel> *bold* `code` '.repeat(100)}`,
  '<script>alert(1)</script><img src=x onerror=alert(1)>', '\u0000\u0001\u001B[31m', '\uD800 lone \uDFFF', '__proto__ constructor toString hasOwnProperty', `${'['.repeat(4_000)}${'{'.repeat(4_000)}`,
  `${'urn:ietf:params:acme:error:'.repeat(500)}`, `${'acme: authorization error for '.repeat(400)}`, `${'error presenting challenge: '.repeat(500)}`, `${'1.2.3.4:80->'.repeat(1_000)}`, `${'err=<\n\t'.repeat(1_000)}`,
  `${'é'.repeat(4_000)}\u202E`, '{"type":"urn:ietf:params:acme:error:rateLimited","detail":"', `${'\r\n'.repeat(3_000)}`, 'x'.repeat(16_384)
]
