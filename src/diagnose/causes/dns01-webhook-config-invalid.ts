import { defineCause, notApplicable } from '../cause.ts'

/** The webhook got the call and cannot use the solver's `config`. */
export default defineCause({
  id: 'dns01-webhook-config-invalid',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['challenge'],
  title: 'The DNS webhook refuses the solver\'s config',
  meaning: 'The webhook was called and cannot work with the `config` of the solver in {issuerKind} {issuer}: {text}',
  remedy: [
    { do: 'Read the solver\'s config.', run: 'kubectl get {issuerKind} {issuer} -n {namespace} -o jsonpath=\'{.spec.acme.solvers}\'' },
    'Compare its keys with the webhook\'s documentation for the deployed version: names, types and required ones.'
  ],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'error decoding solver config', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: '(?:json: )?cannot unmarshal \\S+ into Go (?:struct field|value)', unless: 'struct field (?:\\w+\\.)?\\w*(?:Record|Response|Result|Reply|Answer|Zone|Domain|Error)s?\\.|Go value of type \\S*(?:Record|Response|Result|Zone|Domain|Error)|\\bgot: [\\[{]', confidence: 'proven', when: { wrapper: ['present', 'cleanup', 'log', 'object'] } },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'json: unknown field|unknown field "[^"]+" in (?:solver )?config', unless: '\\b(?:response|reply|answer)\\b', confidence: 'proven', when: { wrapper: ['present', 'cleanup', 'log', 'object'] } },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: '(?:no|missing|empty|required|invalid)[\\w ]{0,24}(?:config|field|parameter|setting|zoneName|zone name|endpoint|apiUrl|secretName|secretRef)[\\w ]{0,20}(?:provided|given|specified|set|required|in (?:the )?(?:solver )?config|is empty|missing)', unless: 'ambient|secret \\S+ not found', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log', 'object'] } },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'zone name [`"\']{2}|for zone ?(?:name)? ?[`"\']{2}', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: '(?:secret|apiKey|api-key|token)[\\w -]{0,20}(?:ref(?:erence)?s?|name)[\\w -]{0,20}(?:not (?:specified|set|provided|defined)|must be (?:set|specified)|is required|missing)', confidence: 'proven', when: { wrapper: ['present', 'cleanup', 'log', 'object'] } },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'resource name may not be empty|\\b\\w+: Required value\\b|\\bnot a valid (?:URL|URI|host ?name|endpoint|duration|integer)\\b|invalid (?:\\w+ )?(?:solver|webhook|provider) config|\\bno (?:credentials?|accounts?|providers?|routes?) match(?:es)?\\b|\\b\\w+(?:Ref|Secret|Config|Key|Token)\\b must (?:set|specify|provide|define|have|include|contain)\\b|\\bno (?:[\\w-]+ ){1,4}(?:provided|given|specified|set|defined) in (?:the )?(?:\\w+ )?config|\\b(?:unknown|unrecogni[sz]ed|unsupported|invalid|no such) (?:\\w+ ){0,2}(?:provider|endpoint|region|auth\\w* method)\\b|invalid value for .{0,60}\\b(?:allowed|valid|supported) values\\b|failed (?:to pars\\w+|parsing) (?:provider |solver )?config|\\b\\w+(?:Ref|Key|Token|Host|Zone|Name)(?:\\.\\w+)? (?:is )?(?:missing|empty)\\b|\\bno (?:\\w+ ){0,2}(?:key|token|secret|password|credentials?|user ?name|endpoint|url) (?:is |was |were |are |has been )?(?:provided|given|specified|set|configured|defined)\\b|\\bno \\w+(?:Ref|Key|Token|Secret|Host|Zone|Name) (?:was )?(?:provided|given|specified|set)|\\b\\w+(?:\\.\\w+)?["`]? (?:must be (?:set|specified|provided|configured)|(?:must not|cannot|can not|may not|should not) be (?:an? )?(?:empty|blank|nil|null)|is required|is mandatory|is not (?:set|specified|configured|provided))', unless: 'ambient|User "|urn:ietf', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log', 'object'] } },
    { in: ['challenge', 'event', 'log', 'alert', 'object'], match: 'strconv\\.\\w+: parsing "": invalid syntax', confidence: 'possible', when: { wrapper: ['present', 'cleanup', 'log', 'object'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'empty url|\\b(?:bad|wrong|incomplete|improper|incorrect) config(?:uration)?\\b|(?:unsupported|missing) protocol scheme|no Host in request URL|server gave HTTP response to HTTPS client|invalid URL|\\b(?:missing|lacks?|unknown|unsupported) (?:\\w+ ){0,2}(?:parameter|field|setting|option|argument|property)\\b|\\bcredentials?\\b[\\w ]{0,24}\\bmissing\\b|\\bmissing\\b[\\w ]{0,16}\\bcredentials?\\b|please (?:specify|set|provide|configure)\\b.{0,40}\\b(?:issuer|config\\w*|solver)\\b|\\bconfig(?:uration)?\\b[\\w ]{0,20}\\b(?:empty|missing|invalid|nil|required|unsupported)\\b|\\b(?:missing|unsupported|invalid|empty|unknown|required|unmarshal\\w*|decod\\w+|pars\\w+)\\b.{0,40}\\bconfig(?:uration)?\\b', unless: 'challenge solver: |ambient|secret|admission webhook|\\b(?:response|reply|answer)\\b', confidence: 'likely', when: { wrapper: ['present', 'cleanup'] } }
  ],

  examine ({ hits, challenge }) {
    const [best, ...rest] = hits
    // A built-in solver has no free `config`.
    const builtIn = challenge.is === 'seen' && !['webhook', ''].includes(challenge.value.solver)
    return best === undefined || builtIn ? notApplicable : { is: 'found', confidence: best.rule.confidence, blanks: {}, because: [best, ...rest.slice(0, 3)] }
  }
})
