import type { Finding } from '../finding.ts'
import { marks } from '../slack/render.ts'
import { duration, utcTime } from '../words.ts'

/** The finding for a terminal: the root message, then the runbook filled in. No colour, 100 columns. */
export function renderText (finding: Finding): string {
  return `${renderRootText(finding)}\n${renderRunbookText(finding)}`
}

/** What the root message says. */
function renderRootText (finding: Finding): string {
  const { symbol, name, headline, word, explanation, doThis, facts, bullets, links, alertName, causes, looks, timings } = finding
  const lines = [`${symbol} ${name}: ${headline}`, ...wrap(`${word}. ${explanation}`)]
  if (doThis !== undefined) lines.push(...wrap(`Do this: ${doThis.text}`), ...(doThis.command === undefined ? [] : [`  $ ${doThis.command}`]))
  if (facts.length > 0) lines.push(...wrap(facts.map(({ label, value }) => `${label}: ${value}`).join(' · ')))
  for (const cause of causes.slice(1)) lines.push(...wrap(`Also: ${cause.summary} (${cause.domains.join(', ')}; ${cause.confidence})`))
  for (const { text, time } of bullets) lines.push(...wrap(`${time === undefined ? '' : `${utcTime(time).slice(11)} `}${text}`, '• '))
  const buttons = [['Report', links.report], ['Runbook', links.runbook], ['Silence', links.silence]].filter(([, url]) => url !== undefined)
  if (buttons.length > 0) lines.push(buttons.map(([label]) => `[${label}]`).join(' '))
  lines.push([alertName, ...(causes[0] === undefined ? [] : [`window ${causes[0].window}`]), ...(timings.notice === undefined ? [] : [`notice +${duration(timings.notice)}`]), ...(timings.diagnosis === undefined ? [] : [`diagnosis +${duration(timings.diagnosis)}`]), ...(looks.total === 0 ? [] : [`${looks.answered} of ${looks.total} looks answered`])].join(' · '))
  return `${lines.join('\n')}\n`
}

/** What the thread says. */
function renderRunbookText (finding: Finding): string {
  const lines: string[] = []
  const section = (title: string, body: string[]): void => { if (body.length > 0) lines.push('', title, ...body) }
  section('Runbook, filled in', finding.steps.flatMap(({ number, title, mark, finding: found, command }) => [...wrap(`${marks[mark].slice(0, 1)} ${number} ${title}: ${found}`, '  '), ...(command === undefined || mark === 'not applicable' ? [] : [`      $ ${command}`])]))
  for (const cause of finding.causes) {
    section(`Cause: ${cause.id}${cause.variant === undefined ? '' : ` [${cause.variant}]`} (${cause.confidence}, window ${cause.window}) for ${cause.domains.join(', ')}`, [
      ...cause.evidence.flatMap(({ source, ref, text, time }) => wrap(`${source}: ${time === undefined ? '' : `${utcTime(time)} `}${ref}: ${text}`, '  • ')),
      ...cause.steps.flatMap(({ text, command, changes }) => [...wrap(`${changes ? '(changes something) ' : ''}${text}`, '  → '), ...(command === undefined ? [] : [`      $ ${command}`])])
    ])
  }
  section(`No cause in ${finding.searched}; the runbook's list`, finding.fallback.flatMap(({ advice, known }) => wrap(`${advice} ${known}`, '  • ')))
  section('Next looks', finding.nextLooks.flatMap(({ text, command }) => [...wrap(text, '  • '), ...(command === undefined ? [] : [`      $ ${command}`])]))
  section('Fits too, below the cause', finding.alsoFits.flatMap(({ id, confidence, summary }) => wrap(`${id} (${confidence}): ${summary}`, '  • ')))
  section('Ruled out', finding.ruledOut.flatMap(({ id, because }) => wrap(`${id}: ${because}`, '  • ')))
  section('Could not see', finding.unavailable.flatMap(({ source, why, fix }) => wrap(`${source}: ${why}${fix === undefined ? '' : ` – add: ${fix}`}`, '  • ')))
  section('How the object was found', finding.subject.flatMap(line => wrap(line, '  ')))
  return `${lines.join('\n')}\n`
}

function wrap (text: string, lead = '', width = 100): string[] {
  const indent = ' '.repeat(lead.length)
  const lines: string[] = []
  let line = lead
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length + 1 > width && line.trim() !== '' && line !== lead) {
      lines.push(line.trimEnd())
      line = indent
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()]
}
