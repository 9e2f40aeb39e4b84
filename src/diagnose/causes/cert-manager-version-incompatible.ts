import { defineCause, notApplicable } from '../cause.ts'
import { andObjects } from '../sources.ts'

/** cert-manager, its CRDs and Kubernetes are of times that do not fit together. */
export default defineCause({
  id: 'cert-manager-version-incompatible',
  since: '0.1.0',
  stage: 'controller',
  needs: [],
  title: 'cert-manager {version} does not fit this cluster: {what}',
  meaning: 'An API version that one side needs the other no longer has, or stored objects are of a version that nobody converts any more. cert-manager does not even see the objects it should work on.',
  remedy: [
    { do: 'See the versions of both sides.', run: 'kubectl version; kubectl -n {certManagerNamespace} get deployment -o wide' },
    { do: 'See which versions of the CRDs are stored.', run: 'kubectl get crd -o custom-columns="NAME:.metadata.name,STORED:.status.storedVersions"' },
    { do: 'Migrate old objects before the upgrade that drops their version.', run: 'cmctl upgrade migrate-api-version', changes: true },
    { do: 'Upgrade cert-manager, with its CRDs, to a version that supports this Kubernetes.', run: 'helm upgrade cert-manager jetstack/cert-manager -n {certManagerNamespace} --set crds.enabled=true --reuse-values', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'convert cr from an invalid group/version: (?P<api>[\\w./-]+)', confidence: 'proven' },
    { in: andObjects, match: 'conversion webhook for (?P<api>[\\w./-]*cert-manager\\.io[^ ,:]*).{0,80}(failed|not found|unknown)', unless: 'connection refused|no endpoints|i/o timeout|handshake timeout|deadline', confidence: 'proven' },
    { in: andObjects, match: 'no matches for kind "(?P<kind>\\w+)" in version "(?P<api>[\\w./-]+)"', unless: 'gateway\\.networking|hetzner|acme\\.[a-z]+\\.', confidence: 'proven' },
    { in: andObjects, match: 'no kind "(?P<kind>\\w+)" is registered for version "(?P<api>[\\w.]*cert-manager\\.io/[\\w]+)"', unless: 'challengepayload', confidence: 'likely' },
    { in: andObjects, match: 'could not find the requested resource \\(\\w+ (?P<kind>\\w+)\\.(?P<api>extensions|networking\\.k8s\\.io)\\)', confidence: 'likely' },
    { in: andObjects, match: 'failed to (list|watch) \\*((v1beta1|v1alpha\\d)\\.(?P<kind>\\w+)|v1\\.(order|challenge|certificate(request)?|(cluster)?issuer)\\b).{0,120}could not find the requested resource', confidence: 'proven' },
    { in: andObjects, match: 'unable to decode .{0,80}cert-manager\\.io|cert-manager\\.io.{0,200}field not declared in schema|unknown field "spec\\.acme|\\b(order|challenge|certificate(request)?|issuer)\\b.{0,160}unknown field "(spec|status)\\.|strict decoding error.{0,80}spec\\.(acme|solver)', confidence: 'likely' },
    // Only cert-manager writes a status: one that the schema refuses is of another version's CRDs.
    { in: andObjects, match: '\\b(order|challenge|certificate(request)?|(cluster)?issuer)\\.(acme\\.)?cert-manager\\.io "[^"]+" is invalid: .{0,40}\\bstatus\\.', confidence: 'likely' }
  ],
  related: ['cert-manager-rbac-denied', 'cert-manager-webhook-unavailable'],

  examine ({ hits }) {
    const [best, ...rest] = hits.filter(({ groups }) => !(groups.kind ?? '').startsWith('HTTPRoute'))
    if (best === undefined) return notApplicable
    const { api, kind } = best.groups
    const what = api !== undefined && api !== '' ? `${kind ?? 'objects'} of ${api}` : kind === undefined ? 'objects cannot be read' : `${kind} is asked for in a version that is gone`
    return { is: 'found', confidence: best.rule.confidence, blanks: { what }, because: [best, ...rest.slice(0, 3)] }
  }
})
