import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'

/** No node takes the solver's Pod, so nobody answers the challenge. */
export default defineCause({
  id: 'http01-solver-pod-unschedulable',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['solver'],
  title: 'No node takes the solver Pod of {dnsName}',
  meaning: 'The Pod that answers the challenge stays Pending: {why}',
  remedy: [
    { do: 'See the scheduler\'s reasons.', run: 'kubectl -n {namespace} describe pod -l acme.cert-manager.io/http01-solver=true' },
    'Give the solver tolerations, a nodeSelector or a priorityClass through solvers[].http01.ingress.podTemplate.spec, or make room on the nodes (it needs 10m CPU, 64Mi and a Linux node).'
  ],
  texts: [
    { in: ['event', 'object'], match: '\\d+/\\d+ nodes are available', confidence: 'proven', when: { objectKind: ['Pod'] } },
    { in: ['event', 'object'], match: 'no nodes available to schedule pods|failedscheduling|failed to schedule pod|(did not|didn\'t) trigger scale-?up', confidence: 'proven', when: { objectKind: ['Pod'] } },
    // The kubelet's own word: the node that was chosen has no room.
    { in: ['event', 'object'], match: 'outof(cpu|memory|pods|ephemeral-storage)|have enough resource', confidence: 'proven', when: { objectKind: ['Pod'] } },
    { in: ['event', 'log'], match: 'cm-acme-http-solver.{0,200}nodes are available', confidence: 'proven' }
  ],
  related: ['http01-backend-error', 'http01-solver-image-pull-failed'],

  examine ({ hits, solver }) {
    const pods = valueIn(solver)?.pods ?? []
    const running = pods.find(({ ready }) => ready)
    const stuck = pods.find(({ unschedulable }) => unschedulable !== undefined)
    // Scheduled on a second try: what the scheduler said before does not matter any more.
    if (running !== undefined) return hits.length > 0 ? { is: 'ruled-out', by: ['solver'], because: `The solver Pod ${running.name} is ready.` } : notApplicable
    const [best] = hits
    const assigned = pods.length > 0 && pods.every(({ node }) => node !== undefined)
    if (best !== undefined && (!assigned || /outof|enough resource/i.test(best.text.core))) return { is: 'found', confidence: best.rule.confidence, blanks: { why: best.text.core.slice(0, 300) }, because: stuck === undefined ? [best] : [best, 'solver'] }
    if (stuck !== undefined) return { is: 'found', confidence: 'proven', blanks: { why: stuck.unschedulable!.slice(0, 300) }, because: ['solver'] }
    return pods.length > 0 ? { is: 'ruled-out', by: ['solver'] } : notApplicable
  }
})
