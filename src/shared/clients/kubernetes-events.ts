import { seen, unavailable, type Clock, type Look, type Millis } from '../types/common.ts'
import { ownComponent } from '../types/kubernetes.ts'
import { findCredentials } from './kubernetes-credentials.ts'
import { isNamespaceName, isObjectName, resourcePath, resourceType } from './kubernetes-resources.ts'
import { connectionReason, openConnections, refusal } from './kubernetes-transport.ts'
import { direct, type Route } from './route.ts'

/** What becomes an Event on a Certificate. The same name is the same Event: a second writing changes nothing. */
export interface CertificateEvent {
  name: string
  certificate: { namespace: string, name: string, uid: string }
  type: 'Warning' | 'Normal'
  reason: string
  message: string
}

/** `never`: the API will not take this Event, whoever asks. */
export type Written = { ok: true } | { ok: false, why: string, fix?: string, retry: 'later' | 'never', status?: number }

/** The one thing this program can write into a cluster, and only when asked to. Nothing else leaves KubernetesClient's GETs. */
export interface EventWriter {
  write (event: CertificateEvent): Promise<Written>
  /** Asks the API whether we may, in every namespace; `fix` names the Role. Writes nothing. */
  mayWrite (): Promise<Look<true>>
  close (): Promise<void>
}

/** The Role that lets us write, as the hint of a refusal. */
const roleHint = 'kubectl apply -f deploy/optional/certificate-events.yaml (it lets acme-triage create Events, nothing else), or set kubernetes.certificateEvents: false'
const answerWithin: Millis = 15_000

/** Like openKubernetes: the kubeconfig's cluster, else our own, else undefined. Throws when a given kubeconfig is unusable. */
export function openEventWriter (settings: { kubeconfig?: string }, { route = direct, clock }: { route?: Route, clock: Clock }): EventWriter | undefined {
  const credentials = findCredentials(settings.kubeconfig)
  if (credentials === undefined) return undefined
  const connections = openConnections(credentials, route)
  return {
    async write (event) {
      const { namespace } = event.certificate
      if (!isNamespaceName(namespace) || !isObjectName(event.name)) return { ok: false, why: 'no Event can have this name', retry: 'never' }
      const purpose = { group: '', resource: 'events', verbs: ['create'], what: `create an Event in ${namespace}` }
      const signal = AbortSignal.timeout(answerWithin)
      try {
        const answer = await connections.send(resourcePath(resourceType('events'), 'v1', namespace), { method: 'POST', accept: 'application/json', body: JSON.stringify(eventBody(event, clock.now())), signal })
        const { statusCode: status } = answer
        // 409: an earlier try arrived and its answer did not.
        if ((status >= 200 && status < 300) || status === 409) {
          await answer.body.dump({ limit: 65_536, signal }).catch(() => {})
          return { ok: true }
        }
        const { why, fix } = await refusal(answer, purpose)
        const hint = status === 403 ? roleHint : fix
        return { ok: false, why, status, ...(hint === undefined ? {} : { fix: hint }), retry: [400, 404, 413, 422].includes(status) ? 'never' : 'later' }
      } catch (error) {
        return { ok: false, why: connectionReason(error, purpose.what, signal), retry: 'later' }
      }
    },
    async mayWrite () {
      const purpose = { group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews', verbs: ['create'], what: 'ask whether Events may be created' }
      const signal = AbortSignal.timeout(answerWithin)
      try {
        const body = JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: { group: '', resource: 'events', verb: 'create' } } })
        const answer = await connections.send('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { method: 'POST', accept: 'application/json', body, signal })
        if (answer.statusCode < 200 || answer.statusCode > 299) return await refusal(answer, purpose)
        const { status } = await answer.body.json() as { status?: { allowed?: boolean } }
        return status?.allowed === true ? seen(true) : unavailable('Events may not be created in every namespace', roleHint)
      } catch (error) {
        return unavailable(connectionReason(error, purpose.what, signal))
      }
    },
    close: () => connections.close()
  }
}

function eventBody ({ name, certificate, type, reason, message }: CertificateEvent, now: Millis): unknown {
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    apiVersion: 'v1', kind: 'Event', metadata: { name, namespace: certificate.namespace },
    // `kubectl describe` finds Events by the UID.
    involvedObject: { apiVersion: 'cert-manager.io/v1', kind: 'Certificate', ...certificate },
    type, reason, message, source: { component: ownComponent }, reportingComponent: ownComponent, reportingInstance: '', firstTimestamp: time, lastTimestamp: time, count: 1
  }
}
