import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { generate } from './generate.ts'

const top = new URL('../../', import.meta.url)

/** The files that a new cause begins with, by path; nothing in them is finished, and each says what is to be done. */
export function filesOfNewCause (id: string): Map<string, string> {
  const name = id.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  return new Map([
    [`src/diagnose/causes/${id}.ts`, `import { defineCause, notApplicable } from '../cause.ts'
import { everywhere } from '../sources.ts'

/** TODO: why this happens, in one or two sentences. */
export default defineCause({
  id: '${id}',
  since: '0.1.0',
  stage: 'validation',
  needs: ['order'],
  title: '{dnsName} TODO: one sentence for a lock screen',
  meaning: 'TODO: two sentences for a tired reader.',
  remedy: [
    { do: 'TODO: look first.', run: 'kubectl -n {namespace} describe order {order}' },
    { do: 'TODO: then change.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [{ in: everywhere, match: 'todo: words of the program that says it', confidence: 'likely' }],

  examine ({ order, hits }) {
    const [best] = hits
    if (best === undefined) return order.state === 'valid' ? { is: 'ruled-out', by: ['order'] } : notApplicable
    return { is: 'found', confidence: best.rule.confidence, blanks: {}, because: [best] }
  }
})
`],
    [`test/diagnose/${id}.test.ts`, `import t from 'tap'
import ${name} from '../../src/diagnose/causes/${id}.ts'
import { aCase, aText, anOrder, examineAlone, noLook } from '../support/builders.ts'

for (const [title, incident, answer] of [
  ['found', aCase({ facts: { order: anOrder() }, texts: [aText('todo: words of the program that says it')] }), 'found'],
  ['ruled out', aCase({ facts: { order: anOrder({ state: 'valid' }) } }), 'ruled-out'],
  ['not applicable', aCase({ facts: { order: anOrder() } }), 'not-applicable'],
  ['cannot tell', aCase({ facts: { order: noLook() } }), 'cannot-tell']
] as const) t.equal(examineAlone(${name}, incident).answer, answer, \`${id}: \${title}\`)
`],
    [`test/cases/${id}/composed/case.yaml`, `format: 1
id: ${id}-composed
title: 'TODO: what happens, in one line'
source: composed
now: 2026-11-24T10:05:00Z
kubernetes: v1.34.2
certManager: v1.21.1
`],
    [`test/cases/${id}/composed/alerts/01.json`, `${JSON.stringify({
      version: '4', groupKey: '{}:{alertname="CertManagerACMEOrderFailed"}', truncatedAlerts: 0, status: 'firing', receiver: 'acme-triage',
      groupLabels: { alertname: 'CertManagerACMEOrderFailed' }, commonLabels: {}, commonAnnotations: {}, externalURL: 'http://alertmanager.example:9093',
      alerts: [{
        status: 'firing', labels: { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', name: 'shop-tls' }, annotations: {},
        startsAt: '2026-11-24T10:02:00Z', endsAt: '0001-01-01T00:00:00Z', generatorURL: 'http://prometheus.example/graph', fingerprint: '3f1c6f0a9d5b7e21'
      }]
    }, null, 2)}
`],
    [`test/cases/${id}/composed/objects.yaml`, '# TODO: the Certificate, CertificateRequest, Order, Challenge and Issuer, as the API returns them.\n'],
    [`test/cases/${id}/composed/expect.yaml`, `verdict: cause
causes: [${id}]
domains: [shop.example.com]
because: 'TODO: what proves it.'
`]
  ])
}

/** Writes the files of a new cause, its public id, and what is generated from both. Returns the paths written. */
export async function newCause (id: string): Promise<string[]> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/.test(id)) throw new Error(`${id} is no id: name the failing noun in lower case, challenge type first, such as http01-port80-blocked`)
  const files = filesOfNewCause(id)
  const taken = [...files.keys()].filter(path => existsSync(at(path)))
  if (taken.length > 0) throw new Error(`${taken.join(', ')} exists: ids are never used again`)
  for (const [path, text] of files) {
    mkdirSync(at(`${path}/..`), { recursive: true })
    writeFileSync(at(path), text)
  }
  const ids = 'test/catalogue-ids.ts'
  writeFileSync(at(ids), readFileSync(at(ids), 'utf8').replace(/\n\}\n$/, `,\n  '${id}': { means: 'TODO: a few words' }\n}\n`))
  return [...files.keys(), ids, ...await generate({ check: false })]
}

const at = (path: string): string => fileURLToPath(new URL(path, top))

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    for (const path of await newCause(process.argv[2] ?? '')) process.stdout.write(`${path}\n`)
    process.stdout.write('Now fill in each TODO, then run npm test.\n')
  } catch (error) {
    process.stderr.write(`new-cause: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 2
  }
}
