import { defineCause, notApplicable } from '../cause.ts'
import { isController, valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** API groups in which cert-manager itself acts; any other group belongs to a DNS webhook. */
const ownGroups = /^(|apps|batch|extensions|networking\.k8s\.io|discovery\.k8s\.io|coordination\.k8s\.io|events\.k8s\.io|apiextensions\.k8s\.io|certificates\.k8s\.io|admissionregistration\.k8s\.io|apiregistration\.k8s\.io|gateway\.networking\.(k8s|x-k8s)\.io|route\.openshift\.io|(acme\.)?cert-manager\.io)$/

/** The API server does not let cert-manager do its own work: a role is missing, or owner references are enforced. */
export default defineCause({
  id: 'cert-manager-rbac-denied',
  since: '0.1.0',
  stage: 'request',
  needs: [],
  wants: ['controller', 'order'],
  title: 'The Kubernetes API forbids cert-manager to {action}',
  meaning: 'A ClusterRole or binding of cert-manager is missing or older than the program, so it cannot make or finish objects of the attempt. The ACME server has nothing to do with it.',
  remedy: [
    { do: 'Ask the API whether cert-manager may.', run: 'kubectl auth can-i --list -n {namespace} --as={user}' },
    { do: 'See the roles of cert-manager and their version.', run: 'kubectl get clusterrole,clusterrolebinding -l app.kubernetes.io/name=cert-manager' },
    { do: 'Apply the roles that belong to the running version again (chart or manifest of the same version; OpenShift needs the finalizers rules).', run: 'helm upgrade cert-manager jetstack/cert-manager -n {certManagerNamespace} --reuse-values', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'is forbidden: user "(?P<user>system:serviceaccount:[^"]+)" cannot (?P<verb>\\w+) resource "(?P<resource>[^"]+)" in api group "(?P<group>[^"]*)"', confidence: 'proven' },
    { in: andObjects, match: 'cannot set blockownerdeletion|cannot set an ownerref on a resource you can.t (set finalizers|delete)', confidence: 'proven' },
    // The token itself is refused: it was revoked, or the API server's keys were changed.
    { in: ['log'], match: 'failed to (list|watch) \\*v1\\.\\w+: unauthorized', confidence: 'likely' },
    { in: andObjects, match: 'is forbidden: user "(?P<user>system:serviceaccount:[^"]+)" cannot (?P<verb>\\w+) (?P<resource>[\\w./-]+)', unless: ' resource "', confidence: 'proven' }
  ],
  related: ['cert-manager-version-incompatible', 'certificate-not-stored'],

  examine ({ hits, controller, order }) {
    const account = valueIn(controller)?.serviceAccount
    const own = hits.filter(({ groups, text }) => {
      const user = (groups.user ?? '').toLowerCase()
      // Who gets Secrets under another name is a webhook solver, whatever it is called.
      if (groups.verb?.toLowerCase() === 'get' && groups.resource === 'secrets' && !isController(user, account)) return false
      // Who could not become the leader made no Order: where there is one, somebody led after all.
      if (groups.group === 'coordination.k8s.io' && valueIn(order) !== undefined) return false
      // Webhook solvers and cainjector run as others; their rights are other causes.
      if (/webhook|cainjector/.test(user) || text.evidence.source === 'log' && /cainjector/i.test(text.evidence.ref)) return false
      return ownGroups.test((groups.group ?? '').toLowerCase())
    })
    const [best, ...rest] = own
    if (best === undefined) return notApplicable
    const { user, verb, resource } = best.groups
    const blanks = {
      action: verb === undefined ? /: unauthorized$/i.test(best.text.core) ? 'do anything: it refuses the token' : 'set owner references with finalizers' : `${verb} ${resource ?? 'objects'}`,
      user: user ?? `system:serviceaccount:${valueIn(controller)?.namespace ?? 'cert-manager'}:cert-manager`
    }
    return { is: 'found', confidence: best.rule.confidence, blanks, because: [best, ...rest.slice(0, 3)] }
  }
})
