import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'

const reasons = /^(CrashLoopBackOff|CreateContainerConfigError|CreateContainerError|RunContainerError|StartError)$/

/** The solver's container is there, but does not run. */
export default defineCause({
  id: 'http01-solver-pod-crashing',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['solver'],
  title: 'The solver Pod of {dnsName} does not run',
  meaning: 'The container that answers the challenge cannot start or ends at once: {why}',
  remedy: [
    { do: 'See its last words.', run: 'kubectl -n {namespace} describe pod -l acme.cert-manager.io/http01-solver=true; kubectl -n {namespace} logs -l acme.cert-manager.io/http01-solver=true --previous' },
    '"exec format error": the image is of another architecture than the node; use a multi-arch image or a nodeSelector in podTemplate.',
    'OOMKilled: raise the memory limit (--acme-http01-solver-resource-limits-memory, or podTemplate.spec.resources).',
    'A refused user or volume: correct podTemplate.spec.securityContext.'
  ],
  texts: [
    { in: ['event', 'object', 'log'], match: 'exec format error', confidence: 'proven' },
    { in: ['event', 'object'], match: 'oomkilled|crashloopbackoff|back-off restarting failed container|createcontainerconfigerror|createcontainererror|runcontainererror', confidence: 'proven', when: { objectKind: ['Pod'] } },
    { in: ['event', 'object'], match: 'container has runasnonroot and image (will run as root|has non-numeric user)', confidence: 'proven' },
    { in: ['event', 'object'], match: 'failed to create pod sandbox|failedcreatepodsandbox|failedmount', confidence: 'likely', when: { objectKind: ['Pod'] } }
  ],
  related: ['http01-backend-error', 'http01-solver-image-pull-failed'],

  examine ({ hits, solver }) {
    const pods = valueIn(solver)?.pods ?? []
    const running = pods.find(({ ready }) => ready)
    if (running !== undefined) return hits.length > 0 ? { is: 'ruled-out', by: ['solver'], because: `The solver Pod ${running.name} is ready.` } : notApplicable
    const [best] = hits
    const down = pods.find(({ waiting, terminated, phase }) => (waiting !== undefined && reasons.test(waiting)) || terminated !== undefined || phase === 'Failed')
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { why: best.text.core.slice(0, 300) }, because: down === undefined ? [best] : [best, 'solver'] }
    if (down !== undefined) return { is: 'found', confidence: 'proven', blanks: { why: [down.waiting, down.terminated, down.message].filter(item => item !== undefined).join(': ') || down.phase }, because: ['solver'] }
    return pods.length > 0 ? { is: 'ruled-out', by: ['solver'] } : notApplicable
  }
})
