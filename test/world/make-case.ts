import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The smallest alert that a case may have. */
export const plainAlert = JSON.stringify({
  version: '4', status: 'firing', receiver: 'acme-triage',
  alerts: [{ status: 'firing', labels: { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', name: 'shop-tls' }, annotations: {}, startsAt: '2026-11-24T10:00:00Z', endsAt: '0001-01-01T00:00:00Z', generatorURL: '', fingerprint: 'a1' }]
})

export const plainCase = 'format: 1\nid: composed\ntitle: composed\nsource: composed\nnow: 2026-11-24T10:05:00Z\nkubernetes: v1.34.2\n'

/** Writes a case directory: case.yaml and the alert are there unless given (`null` leaves a file out). */
export function makeCase (directory: string, files: Record<string, string | null> = {}): string {
  for (const [name, text] of Object.entries({ 'case.yaml': plainCase, 'alerts/01.json': plainAlert, ...files })) {
    if (text === null) continue
    const file = join(directory, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return directory
}
