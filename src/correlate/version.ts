import type { Case } from '../shared/types/case.ts'

type Version = NonNullable<Case['version']>

/** `v1.21.1`, `1.14.7-gke.2`, `quay.io/jetstack/cert-manager-controller:v1.12.4@sha256:…` → numbers. */
export function parseVersion (text: string): Version | undefined {
  const match = /(?:^|[^\d.])v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?:[-+][\w.-]+)?(?:@sha256:[0-9a-f]+)?$/i.exec(text.trim())
  if (match === null) return undefined
  const [, major, minor, patch = '0'] = match
  return { major: Number(major), minor: Number(minor), patch: Number(patch), text: `v${major}.${minor}.${patch}` }
}

/** Is the version at least this? Undefined when it is not known. */
export function atLeast (version: Version | undefined, major: number, minor: number, patch = 0): boolean | undefined {
  if (version === undefined) return undefined
  if (version.major !== major) return version.major > major
  if (version.minor !== minor) return version.minor > minor
  return version.patch >= patch
}
