import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The namespace is going away; Kubernetes lets nothing new be made in it. */
export default defineCause({
  id: 'namespace-terminating',
  since: '0.1.0',
  stage: 'controller',
  needs: [],
  wants: ['namespace'],
  title: 'Namespace {namespace} is being deleted',
  meaning: 'No Secret, Order, pod or Ingress can be made in it any more, so the certificate cannot be issued. If the deletion hangs, a Challenge with a finalizer is often what holds it.',
  remedy: [
    { do: 'See what the deletion waits for.', run: 'kubectl get namespace {namespace} -o jsonpath="{.status.conditions}"' },
    { do: 'See the objects that are left.', run: 'kubectl -n {namespace} get certificate,certificaterequest,order,challenge' },
    'If the namespace should go, silence the alert. If it should stay, make it anew: a deletion cannot be taken back.'
  ],
  texts: [
    { in: andObjects, match: 'because it is being terminated|namespace .{1,80} is (being terminated|terminating)', confidence: 'proven' },
    // The last thing that is said of one: nothing can be made where nothing is.
    { in: andObjects, match: '^namespaces "[^"]*" not found', confidence: 'likely', when: { wrapper: ['present', 'log'] } }
  ],

  examine ({ hits, namespace }) {
    const seen = valueIn(namespace)
    const [best, ...rest] = hits
    const terminating = seen?.phase === 'Terminating' || seen?.deletedAt !== undefined
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence === 'likely' && seen?.phase === 'Active' ? 'possible' : best.rule.confidence, blanks: {}, because: terminating ? [best, 'namespace'] : [best, ...rest.slice(0, 3)] }
    if (seen === undefined) return notApplicable
    return terminating ? { is: 'found', confidence: 'likely', blanks: {}, because: ['namespace'] } : { is: 'ruled-out', by: ['namespace'], because: `Namespace ${seen.name} is active.` }
  }
})
