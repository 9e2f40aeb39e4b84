import type { KnownBlock } from '@slack/web-api'
import { isOpen, type Finding } from '../finding.ts'
import type { Mark } from '../runbook.ts'
import { clip, duration } from '../words.ts'
import { bold, bullets, code, context, date, fit, header, limits, linkButtons, paragraph, plain, preformatted, type Inline } from './blocks.ts'

/** A message as the transport sends it. `text` is the whole sentence for lock screens and screen readers. */
export interface RenderedMessage { text: string, blocks: KnownBlock[] }

/** The one root message of an incident, at any state. */
export function renderRoot (finding: Finding): RenderedMessage {
  const { doThis, facts, bullets: points, links, word, symbol, name, headline } = finding
  const open = isOpen(finding.incident.state)
  const entries: { block: KnownBlock, keep?: boolean }[] = [
    { block: header(`${symbol} ${name}: ${headline}`), keep: true },
    { block: paragraph(bold(`${word}. `), plain(clip(open ? finding.explanation : `${name} ${headline}.`, limits.section))), keep: true }
  ]
  if (open && doThis !== undefined) {
    const command: Inline[] = doThis.command === undefined ? [] : [plain(' '), code(clip(doThis.command, 600))]
    entries.push({ block: paragraph(bold('Do this: '), plain(clip(doThis.text, 1200)), ...command), keep: true })
  }
  if (facts.length > 0) entries.push({ block: paragraph(...facts.flatMap(({ label, value, time }, index): Inline[] => [...(index === 0 ? [] : [plain(' · ')]), plain(`${label}: ${clip(value, 120)}`), ...(time === undefined ? [] : [plain(' ('), date(time), plain(')')])])) })
  if (open) for (const cause of finding.causes.slice(1, 4)) entries.push({ block: paragraph(bold('Also: '), plain(clip(`${cause.summary} (${cause.domains.join(', ')}; ${cause.confidence})`, 500))) })
  if (points.length > 0) entries.push({ block: bullets(points.map(({ text, time }) => [...(time === undefined ? [] : [date(time), plain(' ')]), plain(clip(text, 330))])) })
  for (const block of linkButtons([
    { text: 'Report', url: links.report, id: 'report' },
    { text: 'Runbook', url: links.runbook, id: 'runbook' },
    ...(open ? [{ text: 'Silence', url: links.silence, id: 'silence' }] : []),
    { text: 'Earlier thread', url: links.previous, id: 'previous' }
  ])) entries.push({ block, keep: true })
  entries.push({ block: context(footerOf(finding)), keep: true })
  return { text: clip(finding.sentence, limits.text), blocks: fit(entries, { blocks: limits.rootBlocks, characters: limits.rootCharacters }) }
}

/** The one reply in the thread: the runbook filled in, ruled out, not seen, commands. */
export function renderThread (finding: Finding): RenderedMessage {
  const entries: { block: KnownBlock, keep?: boolean }[] = [{ block: header(`Runbook, filled in: ${finding.name}`), keep: true }]
  if (finding.steps.length > 0) {
    entries.push({ block: bullets(finding.steps.map(({ number, title, mark, finding: found, command }) => [
      bold(`${marks[mark]} ${number} ${title}: `), plain(clip(found, 560)), ...(command === undefined || mark === 'not applicable' ? [] : [plain('  '), code(clip(command, 200))])
    ])) })
  }
  for (const cause of finding.causes) {
    entries.push({ block: paragraph(bold(clip(cause.summary, 300)), plain(` ${cause.id}${cause.variant === undefined ? '' : ` [${cause.variant}]`}, ${cause.confidence}, window ${cause.window}, ${cause.domains.join(', ')}`)) })
    entries.push({ block: bullets(cause.evidence.slice(0, 6).map(({ source, ref, text, time }) => [bold(`${source} `), ...(time === undefined ? [] : [date(time), plain(' ')]), plain(clip(`${ref}: ${text}`, 420))])) })
    entries.push({ block: bullets(cause.steps.map(({ text, command, changes }) => [...(changes ? [bold('changes something: ')] : []), plain(clip(text, 400)), ...(command === undefined ? [] : [plain('  '), code(clip(command, 300))])])) })
  }
  for (const { name, rows, differences } of finding.vantages.slice(0, 3)) {
    if (differences.length > 0) entries.push({ block: paragraph(bold(`${name}, seen from each place: `), plain(clip(differences.join(' '), 700))) })
    const odd = rows.filter(({ agrees }) => !agrees)
    if (differences.length > 0 && odd.length > 0 && rows.length > odd.length) entries.push({ block: bullets([...odd.slice(0, 5), ...rows.filter(({ agrees }) => agrees).slice(0, 2)].map(({ vantage, addresses, answer, agrees }) => [bold(`${agrees ? '=' : '≠'} ${vantage}: `), plain(clip([addresses, answer].filter(part => part !== '').join(', '), 200))])) })
  }
  if (finding.fallback.length > 0) {
    entries.push({ block: paragraph(bold(`No cause in ${finding.searched}. `), plain('What the runbook advises, and what is already known:')) })
    entries.push({ block: bullets(finding.fallback.map(({ advice, known }) => [plain(`${advice} `), bold(clip(known, 200))])) })
  }
  if (finding.nextLooks.length > 0) entries.push({ block: bullets(finding.nextLooks.map(({ text, command }) => [bold('Next look: '), plain(clip(text, 300)), ...(command === undefined ? [] : [plain('  '), code(clip(command, 300))])])) })
  if (finding.alsoFits.length > 0) entries.push({ block: paragraph(bold('Fits too, below the cause: '), plain(clip(finding.alsoFits.map(({ id, confidence }) => `${id} (${confidence})`).join(', '), 900))) })
  if (finding.ruledOut.length > 0) entries.push({ block: bullets(finding.ruledOut.slice(0, 8).map(({ id, because }) => [bold(`Ruled out ${id}: `), plain(clip(because, 240))])) })
  if (finding.unavailable.length > 0) entries.push({ block: bullets(finding.unavailable.slice(0, 8).map(({ source, why, fix }) => [bold(`Could not see ${source}: `), plain(clip(why, 260)), ...(fix === undefined ? [] : [plain(' – add: '), code(clip(fix, 260))])])) })
  if (finding.next !== undefined && finding.next.restart.length > 0) entries.push({ block: bullets(finding.next.restart.map(({ text, command, changes }) => [bold(changes ? 'Try again (changes something): ' : 'Try again: '), plain(clip(text, 300)), ...(command === undefined ? [] : [plain('  '), code(clip(command, 300))])])) })
  if (finding.commands.length > 0) entries.push({ block: preformatted(finding.commands.map(({ command, changes }) => `${changes ? '# changes something\n' : ''}${command}`).join('\n')) })
  if (finding.subject.length > 0) entries.push({ block: context(clip(finding.subject.join(' '), 1500)) })
  return { text: clip(`Runbook for ${finding.name}: ${finding.headline}`, limits.text), blocks: fit(entries, { blocks: limits.blocks - 1, characters: limits.characters - 200 }) }
}

/** Symbol and word for each mark, since colour alone tells nothing. */
export const marks: Record<Mark, string> = { fine: '✓ fine', found: '✗ found', 'not applicable': '– not applicable', 'could not look': '? could not look' }

function footerOf ({ alertName, causes, looks, timings }: Finding): string {
  return [
    alertName,
    ...(causes[0] === undefined ? [] : [`window ${causes[0].window}`]),
    ...(timings.notice === undefined ? [] : [`notice +${duration(timings.notice)}`]),
    ...(timings.diagnosis === undefined ? [] : [`diagnosis +${duration(timings.diagnosis)}`]),
    ...(looks.total === 0 ? [] : [`${looks.answered} of ${looks.total} looks answered`])
  ].join(' · ')
}
