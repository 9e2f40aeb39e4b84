import type { AnnotationTarget } from '../../shared/store/annotation-targets.ts'

/** Name of the info metric that an alert rule's annotation template queries. */
const infoMetric = 'acme_diagnosis_info'
const most = 2_000
const longestValue = 1_000

/**
 * One series for each order that fails now, as Prometheus text. The rule's annotation reads it
 * with `query`, so that nothing is ever posted to Alertmanager.
 */
export function renderInfoMetric (targets: AnnotationTarget[]): string {
  const lines = new Map<string, string>()
  for (const { labels, annotations } of targets.slice(0, most)) {
    const namespace = labels.exported_namespace ?? labels.namespace ?? ''
    const name = labels.name ?? labels.order ?? labels.certificate ?? ''
    const key = `${namespace}\u0000${name}`
    // Two series for one object would make the template's query ambiguous.
    if (lines.has(key)) continue
    const pairs: [string, string | undefined][] = [
      ['namespace', namespace], ['name', name], ['cause', annotations.acme_triage_cause], ['code', annotations.acme_triage_confidence],
      ['summary', annotations.acme_triage_summary], ['fix', annotations.acme_triage_next_step], ['url', annotations.acme_triage_report]
    ]
    lines.set(key, `${infoMetric}{${pairs.filter(([, value]) => value !== undefined && value !== '').map(([label, value]) => `${label}="${escapeValue(value!)}"`).join(',')}} 1`)
  }
  return [`# HELP ${infoMetric} The diagnosis of each order that fails now, for the annotations of alert rules.`, `# TYPE ${infoMetric} gauge`, ...lines.values(), ''].join('\n')
}

// eslint-disable-next-line no-control-regex
const escapeValue = (text: string): string => text.replaceAll(/[\u0000-\u0009\u000b-\u001f]/g, ' ').slice(0, longestValue).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

/** The annotations for the alert's rule, as they go into a PrometheusRule. */
export function ruleAnnotations (nameLabel = 'name', namespaceLabel = 'namespace'): Record<string, string> {
  const query = (label: string): string => `{{ with query (printf "${infoMetric}{namespace=%q,name=%q}" $labels.${namespaceLabel} $labels.${nameLabel}) }}{{ . | first | label "${label}" }}{{ else }}pending{{ end }}`
  return { acme_triage_cause: query('cause'), acme_triage_confidence: query('code'), acme_triage_summary: query('summary'), acme_triage_next_step: query('fix'), acme_triage_report: query('url') }
}
