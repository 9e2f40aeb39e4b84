/** Does trying again help: at once or soon, after somebody changed something, or never. */
export type Retry = 'soon' | 'after-fix' | 'never'

/** One kind of error: `message` says what happened, `hint` what to do; `{blanks}` are filled when it is raised. */
export interface ErrorEntry { message: string, hint: string, retry: Retry, status?: number }

/** Every error that this program raises, by its stable code. Listed in the README; a test holds both together. */
export const errors = {
  CONFIG_UNREADABLE: { message: 'The configuration file {file} cannot be read: {why}', hint: 'Check the path in --config or ACME_TRIAGE_CONFIG and its permissions.', retry: 'after-fix' },
  CONFIG_YAML: { message: '{where}: not valid YAML: {why}', hint: 'Correct the line; indentation and colons are the usual reasons.', retry: 'after-fix' },
  CONFIG_INVALID: { message: '{where}: {why}', hint: '{fix}', retry: 'after-fix' },
  CONFIG_SECRET: { message: 'The secret {name} cannot be read: {why}', hint: 'Set {name}, or let {name}_FILE name a readable file; never both.', retry: 'after-fix' },
  STORE_LOCKED: { message: 'The store {path} is in use by another process.', hint: 'Run one replica on the embedded store; set DATABASE_URL for several. A rollout needs the strategy Recreate.', retry: 'soon', status: 503 },
  STORE_UNAVAILABLE: { message: 'The store takes no writes: {why}', hint: 'Free disk space, or bring the database back; nothing that was acknowledged is lost, and intake resumes by itself.', retry: 'soon', status: 503 },
  STORE_NEWER: { message: 'The store was written by a newer version of this program ({why}).', hint: 'Run the newer version again, or start with an empty data directory.', retry: 'after-fix' },
  QUEUE_FULL: { message: 'Too much work is waiting ({depth} jobs).', hint: 'Alertmanager tries again by itself; raise webhook.queueLimit if this lasts.', retry: 'soon', status: 503 },
  WEBHOOK_METHOD: { message: '{method} is not accepted here.', hint: 'Alertmanager posts to /webhook; nothing else belongs there.', retry: 'never', status: 405 },
  WEBHOOK_TYPE: { message: 'The content type is {type}.', hint: 'Send Content-Type: application/json, as Alertmanager does.', retry: 'never', status: 415 },
  WEBHOOK_TOO_LARGE: { message: 'The body is larger than {limit} bytes.', hint: 'Set max_alerts in the receiver, shorten annotations, or raise webhook.bodyLimit.', retry: 'after-fix', status: 413 },
  WEBHOOK_UNAUTHENTICATED: { message: 'No credentials were sent.', hint: 'Set http_config.authorization.credentials_file (or basic_auth) of the receiver to the token in ACME_TRIAGE_WEBHOOK_TOKEN.', retry: 'after-fix', status: 401 },
  WEBHOOK_BAD_CREDENTIALS: { message: 'The credentials are wrong.', hint: 'Compare the receiver\'s credentials with ACME_TRIAGE_WEBHOOK_TOKEN; during a rotation both tokens may be listed, separated by a comma.', retry: 'after-fix', status: 401 },
  WEBHOOK_JSON: { message: 'The body is not JSON: {why}', hint: 'Send Alertmanager\'s own webhook body.', retry: 'never', status: 400 },
  WEBHOOK_PAYLOAD: { message: 'The body has no "{field}": it is not Alertmanager\'s webhook body.', hint: 'Remove payload: from the webhook_config; this receiver needs the default body (version 4).', retry: 'after-fix', status: 400 },
  WEBHOOK_SCHEMA: { message: 'The body does not fit: {why}', hint: 'Send Alertmanager\'s webhook body, version 4; see schemas/alertmanager-webhook.schema.json.', retry: 'never', status: 400 },
  STOPPING: { message: 'This process is about to end.', hint: 'Nothing to do: the next one takes over.', retry: 'soon', status: 503 },
  UPSTREAM_UNREACHABLE: { message: 'No Alertmanager behind the relay can be reached.', hint: 'Check ALERTMANAGER_URLS and the way there; Prometheus sends again what is answered 502 meanwhile.', retry: 'soon', status: 503 },
  PAGE_UNAUTHENTICATED: { message: 'This page needs a token.', hint: 'Send Authorization: Bearer <token>, or open the page once with ?token=<token>.', retry: 'after-fix', status: 401 },
  PROBE_UNAUTHENTICATED: { message: 'This probe answers nobody without its token.', hint: 'Set the token of probes.outside to one that ACME_TRIAGE_PROBE_TOKEN of the probe lists.', retry: 'after-fix', status: 401 },
  PROBE_QUESTION: { message: 'The question does not fit: {why}', hint: 'A probe answers two questions: POST /v1/http01 {"name", "path"} and POST /v1/records {"name", "types"}; nothing else.', retry: 'never', status: 400 },
  PROBE_NO_SUCH_QUESTION: { message: 'A probe has no such address.', hint: 'Ask POST /v1/http01 or POST /v1/records.', retry: 'never', status: 404 },
  PROBE_BUSY: { message: 'This probe has enough to do ({running} questions at this moment).', hint: 'Ask again in a few seconds; a second probe halves the load.', retry: 'soon', status: 503 },
  NOT_FOUND: { message: 'There is no {what}.', hint: 'See / for the incidents and /causes for the causes.', retry: 'never', status: 404 },
  BAD_REQUEST: { message: 'The request does not fit: {why}', hint: 'See the README for the addresses and their parameters.', retry: 'never', status: 400 },
  INTERNAL: { message: 'Something failed inside: {why}', hint: 'Please report it with the log line of the same code.', retry: 'soon', status: 500 },
  NO_CLUSTER: { message: 'There is no Kubernetes API to look at: {why}.', hint: 'Set KUBECONFIG, or run inside a cluster with the ServiceAccount of deploy/.', retry: 'after-fix' },
  NO_SUCH_SUBJECT: { message: 'There is no Certificate or Order {name} in namespace {namespace}.', hint: 'kubectl get certificate,order -A lists what there is.', retry: 'after-fix' },
  CASE_MISSING: { message: '{where}: {why}', hint: 'A case directory holds at least case.yaml and alerts/01.json.', retry: 'after-fix' },
  CASE_YAML: { message: '{where}: not valid YAML: {why}', hint: 'Correct the line; indentation and colons are the usual reasons.', retry: 'after-fix' },
  CASE_JSON: { message: '{where}: not valid JSON: {why}', hint: 'alerts/NN.json holds the webhook body as Alertmanager posts it.', retry: 'after-fix' },
  CASE_SCHEMA: { message: '{where}: {why}', hint: 'See schemas/case.schema.json for the form of a case directory.', retry: 'after-fix' },
  USAGE: { message: '{why}', hint: 'acme-triage --help', retry: 'never' }
} as const satisfies Record<string, ErrorEntry>

/** A stable code of the registry. */
export type ErrorCode = keyof typeof errors

type Blanks = Record<string, string | number>

/** An error of the registry with its blanks filled: what people and programs outside are shown. */
export class TriageError extends Error {
  readonly code: ErrorCode
  readonly hint: string
  readonly retry: Retry
  /** HTTP status of the answer that tells it. */
  readonly status: number

  constructor (code: ErrorCode, blanks: Blanks = {}, options?: ErrorOptions) {
    const entry: ErrorEntry = errors[code]
    super(fill(entry.message, blanks), options)
    this.name = 'TriageError'
    this.code = code
    this.hint = fill(entry.hint, blanks)
    this.retry = entry.retry
    this.status = entry.status ?? 500
  }

  /** The one line of JSON that stands in the sender's log. */
  toJSON (): { code: ErrorCode, message: string, hint: string, retry: Retry } {
    return { code: this.code, message: this.message, hint: this.hint, retry: this.retry }
  }
}

/** What was thrown, as one line for people. */
export function reasonOf (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  const cause = error.cause === undefined ? '' : ` (${reasonOf(error.cause)})`
  // An AggregateError of a refused connection to several addresses has an empty message.
  return `${error.message || code || error.name}${cause}`
}

const fill = (text: string, blanks: Blanks): string => text.replace(/\{(\w+)\}/g, (whole, name: string) => String(blanks[name] ?? whole))
