import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'

const reasons = /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|RegistryUnavailable|ImageInspectError|SignatureValidationFailed)$/

/** The node cannot get the solver's image. */
export default defineCause({
  id: 'http01-solver-image-pull-failed',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['solver'],
  title: 'The image of the solver Pod of {dnsName} cannot be pulled',
  meaning: 'The Pod that answers the challenge does not start, because its image {image} does not arrive: {why}',
  remedy: [
    { do: 'See the kubelet\'s words.', run: 'kubectl -n {namespace} describe pod -l acme.cert-manager.io/http01-solver=true' },
    'Let the nodes reach the registry, or mirror the image and set --acme-http01-solver-image (chart: acmesolver.image).',
    'For a private registry set podTemplate.spec.imagePullSecrets in the solver.'
  ],
  texts: [
    { in: ['event', 'object'], match: 'failed to pull image', confidence: 'proven', when: { objectKind: ['Pod'] } },
    { in: ['event', 'object'], match: 'errimagepull|imagepullbackoff|back-off pulling image|invalidimagename', confidence: 'proven', when: { objectKind: ['Pod'] } },
    { in: ['event', 'log'], match: 'cm-acme-http-solver.{0,200}(errimagepull|imagepullbackoff|failed to pull image)', confidence: 'proven' }
  ],
  related: ['http01-backend-error', 'http01-solver-pod-crashing'],

  examine ({ hits, solver }) {
    const pods = valueIn(solver)?.pods ?? []
    const running = pods.find(({ ready }) => ready)
    if (running !== undefined) return hits.length > 0 ? { is: 'ruled-out', by: ['solver'], because: `The solver Pod ${running.name} is ready.` } : notApplicable
    const [best] = hits
    const stuck = pods.find(({ waiting }) => waiting !== undefined && reasons.test(waiting))
    const image = stuck?.image ?? pods[0]?.image ?? 'of the solver'
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { image, why: best.text.core.slice(0, 300) }, because: stuck === undefined ? [best] : [best, 'solver'] }
    if (stuck !== undefined) return { is: 'found', confidence: 'proven', blanks: { image, why: stuck.message ?? stuck.waiting! }, because: ['solver'] }
    return pods.length > 0 ? { is: 'ruled-out', by: ['solver'] } : notApplicable
  }
})
