import { defineCause, notApplicable } from '../cause.ts'

/** The solver lives behind an APIService of its own, which is missing or not Available. */
export default defineCause({
  id: 'dns01-webhook-unavailable',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['controller', 'challenge'],
  title: 'The webhook that should write the TXT record does not answer',
  meaning: 'The DNS solver is a webhook behind the Kubernetes API, and the API cannot reach it: {text}',
  remedy: [
    { do: 'See whether the APIService is there and Available.', run: 'kubectl get apiservices | grep v1alpha1' },
    { do: 'Look at the webhook\'s Pod and its log.', run: 'kubectl -n {certManagerNamespace} get pods' },
    'Deploy or repair the webhook; its groupName and solverName must be those of the issuer.'
  ],
  related: ['dns01-webhook-forbidden'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'the server could not find the requested resource \\((?:post|get|create) ', unless: 'challenges\\.acme|orders\\.acme|certificates?\\.cert-manager|\\.extensions\\)|\\.k8s\\.io\\)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'the server is currently unable to handle the request \\((?:post|get|create) ', unless: 'challenges\\.acme|orders\\.acme|failed to (?:list|watch) \\*', confidence: 'proven' },
    // Without the call behind it, the same words may be about any object: only at this stage they are the webhook's.
    { in: ['challenge', 'event'], match: 'the server could not find the requested resource$|Internal error occurred: error resolving resource', confidence: 'likely', when: { wrapper: ['present', 'cleanup'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:the server was unable to return a response in the time allotted.{0,60}|prevented the request from succeeding )\\((?:post|get|create) ', unless: '(?:challenges|orders)\\.acme|ingresses|pods|services|httproutes|secrets', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:error trying to reach service|no endpoints available for service).{0,160}', unless: 'failed calling webhook|validate\\.|admission|conversion webhook for|failed to (?:list|watch) \\*', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log'] } },
    { in: ['object'], match: 'FailedDiscoveryCheck|MissingEndpoints|ServiceNotFound|failing or missing response from|service/\\S+ in \\S+ is not present', when: { objectKind: ['APIService'] }, confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'no kind ["\']?ChallengePayload|unable to retrieve the complete list of server APIs: \\S+', confidence: 'likely' }
  ],

  examine ({ hits, controller, challenge }) {
    // Only a webhook stands behind an API of its own.
    const webhook = challenge.is !== 'seen' || challenge.value.solver === 'webhook' || challenge.value.solver === ''
    const [best] = webhook ? hits : []
    const group = challenge.is === 'seen' && challenge.value.solver === 'webhook' ? String((challenge.value.solverConfig.webhook as { groupName?: unknown } | undefined)?.groupName ?? '') : ''
    const service = controller.is === 'seen' ? controller.value.apiServices.find(item => group !== '' && item.group.includes(group)) : undefined
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: {}, because: service !== undefined && !service.available ? [best, 'controller'] : [best] }
    if (group === '' || service === undefined) return notApplicable
    if (service.available) return { is: 'ruled-out', by: ['controller'], because: `The APIService of ${group} is Available.` }
    return challenge.is === 'seen' && !challenge.value.presented ? { is: 'found', confidence: 'likely', blanks: {}, because: ['controller'] } : notApplicable
  }
})
