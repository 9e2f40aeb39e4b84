import { defineCause, notApplicable } from '../cause.ts'
import { claimName, http01Facts, isForeignAnswer, readHttp01, solverClaim, winningRival } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** Somebody else owns the host or a stronger path, and the controller gives the request to him. */
export default defineCause({
  id: 'http01-ingress-host-conflict',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: '{owner} owns {dnsName} and wins over the solver',
  meaning: 'Two objects claim the challenge path of {dnsName}. The controller prefers {owner} ({why}), so the solver is never asked.',
  remedy: [
    { do: 'See what claims the host.', run: 'kubectl get ingress,httproute -A | grep {dnsName}' },
    'Let the site give up the path: no stronger or catch-all rule over /.well-known/acme-challenge/.',
    { do: 'Or let cert-manager write the path into the site\'s own Ingress.', run: 'kubectl -n {namespace} annotate ingress INGRESS acme.cert-manager.io/http01-edit-in-place=true', changes: true },
    'With the NGINX (F5) controller make the pair mergeable: nginx.org/mergeable-ingress-type master and minion.'
  ],
  texts: [
    { in: ['event', 'object', 'log'], match: 'all hosts are taken by other resources', confidence: 'proven' },
    { in: ['object'], match: 'route \\S+ already exposes \\S+ and is older|namespace \\S+ owns hostname|hostalreadyclaimed|a route in another namespace holds', confidence: 'proven' },
    { in: ['event', 'object', 'log'], match: 'host(name)? (is|was) (already )?(taken|claimed|in use) by|conflicts with (an)?other (ingress|virtualserver|httpproxy|resource)', confidence: 'likely' },
    { in: ['event', 'object', 'log'], match: 'fqdn "[^"]+" is used in multiple|hostname conflict|virtualhost conflict', confidence: 'likely' }
  ],
  related: ['http01-other-backend-answers', 'http01-ingress-class-mismatch', 'http01-path-type-unsupported'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    if (reading.servedOutside || reading.servedInside) return { is: 'ruled-out', by: [reading.servedOutside ? 'probeFromOutside' : 'probeFromCluster'] }
    const facts = valueIn(routing)
    const rival = winningRival(facts)
    const claim = solverClaim(facts)
    const owner = rival === undefined ? 'Another Ingress' : claimName(rival)
    const [best] = hits
    const twin = rest.case.texts.find(text => andObjects.includes(text.evidence.source) && text.attempt !== 'earlier' && /already defined in ingress (\S+)/i.test(text.whole))
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { owner, why: best.text.core.slice(0, 160) }, because: rival === undefined ? [best] : [best, 'routing'] }
    if (twin !== undefined) return { is: 'found', confidence: 'likely', blanks: { owner: /already defined in ingress (\S+)/i.exec(twin.whole)![1]!, why: 'its admission webhook refuses a second owner' }, because: [twin] }
    if (claim === undefined || rival === undefined || claim.ownership === 'unowned') return claim?.wins === true ? { is: 'ruled-out', by: ['routing'] } : notApplicable
    // Cilium and its like lose the path by its type; that is a cause of its own.
    if ((rival.namespace === claim.namespace && rival.name === claim.name) || (claim.controller === 'cilium' && claim.pathType === 'ImplementationSpecific')) return notApplicable
    if (!isForeignAnswer(reading.failure) || reading.failure === undefined) return notApplicable
    return { is: 'found', confidence: 'likely', blanks: { owner, why: rival.why }, because: [reading.failure.cite, 'routing'] }
  }
})
