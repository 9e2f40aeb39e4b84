import { defineCause } from '../cause.ts'
import { isController } from '../reading.ts'

/** RBAC between cert-manager and the webhook solver, or of the webhook itself. */
export default defineCause({
  id: 'dns01-webhook-forbidden',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  variants: ['group-name', 'service-account', 'secret-reader'],
  wants: ['controller', 'challenge'],
  title: 'Kubernetes forbids the DNS webhook, or cert-manager to call it',
  meaning: 'The API refuses a step on the way to the DNS webhook, so no TXT record is written: {text}',
  remedy: [
    { do: 'See who is bound to the webhook\'s API group.', run: 'kubectl get clusterroles,clusterrolebindings -o wide | grep -i -e domain-solver -e webhook' },
    'Bind cert-manager\'s real ServiceAccount to the ClusterRole that may create the solver\'s resource, with the same groupName as in the issuer; give the webhook\'s own ServiceAccount a Role to get its Secret.'
  ],
  related: ['dns01-webhook-unavailable', 'dns01-secret-missing'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?P<solver>\\S+) is forbidden: User "(?P<user>[^"]+)" cannot create resource "[^"]+" in API group "(?P<group>[^"]+)" at the cluster scope', unless: 'API group "(?:acme\\.cert-manager\\.io|cert-manager\\.io|networking\\.k8s\\.io|gateway\\.networking\\.k8s\\.io|auth(?:entication|orization)\\.k8s\\.io|flowcontrol\\.apiserver\\.k8s\\.io)"', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'secrets(?: "[^"]+")? is forbidden: User "[^"]*webhook[^"]*" cannot (?:get|list|watch) resource "secrets"', confidence: 'proven', variant: 'secret-reader' },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'secrets(?: "[^"]+")? is forbidden: User "(?P<reader>system:serviceaccount:[^"]+)" cannot (?:get|list|watch) resource "secrets"', unless: 'User "[^"]*webhook', confidence: 'proven', variant: 'secret-reader', when: { wrapper: ['present', 'cleanup'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Internal Server Error: .{0,4}/apis/.{0,160}: (?:Unauthorized|forbidden|\\S+ is forbidden)', confidence: 'proven', variant: 'service-account' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'the server has asked for the client to provide credentials \\((?:post|get|create) ', unless: 'failed to (?:list|watch) \\*', confidence: 'likely', variant: 'service-account' },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'User "[^"]+" cannot create resource "(?:subjectaccess|token)reviews"|User "[^"]*webhook[^"]*" cannot (?:list|get|watch|create) resource "(?:flowschemas|prioritylevelconfigurations|configmaps)"', confidence: 'likely', variant: 'service-account' }
  ],

  examine ({ hits, controller, challenge }) {
    // What the webhook lacks by its own log has not kept it from its work once a record is made.
    const made = challenge.is === 'seen' && challenge.value.presented
    const account = controller.is === 'seen' ? controller.value.serviceAccount : undefined
    const [best] = hits.filter(({ groups: { reader }, text }) => (reader === undefined || !isController(reader, account)) && !(made && text.wrapper === 'log'))
    if (best === undefined) return { is: 'not-applicable' }
    const { group } = best.groups
    const groups = controller.is === 'seen' ? controller.value.apiServices.map(item => item.group) : []
    const variant = best.rule.variant ?? (group !== undefined && groups.length > 0 && !groups.some(known => known.includes(group)) ? 'group-name' : 'service-account')
    return { is: 'found', confidence: best.rule.confidence, variant, blanks: {}, because: [best, ...hits.slice(1, 3)] }
  }
})
