import { fileURLToPath } from 'node:url'
import type { Finding } from '../finding.ts'
import { timelineSvg } from '../page/timeline.ts'
import { clip, oneLine, plural } from '../words.ts'

/** The timeline as PNG with the words for those who cannot see it. */
export interface Picture { png: Uint8Array, alt: string, name: string }

/**
 * Draws the timeline, 1200 pixels wide, beside the event loop: no alert waits for a picture.
 * Undefined when nothing happened. The font is shipped: without one resvg draws no text at all.
 */
export async function timelinePicture (finding: Pick<Finding, 'timeline' | 'name'>): Promise<Picture | undefined> {
  const svg = timelineSvg(finding, { standalone: true })
  if (svg === '') return undefined
  const { renderAsync } = await import('@resvg/resvg-js')
  const font = fileURLToPath(import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'))
  const drawn = await renderAsync(svg, { fitTo: { mode: 'width', value: 1200 }, font: { fontFiles: [font], loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' } })
  const first = finding.timeline[0]
  const last = finding.timeline.at(-1)
  const alt = clip(`Timeline of ${finding.name}: ${plural(finding.timeline.length, 'entry')}${first === undefined ? '' : `, from "${oneLine(first.text)}"`}${last === undefined ? '' : ` to "${oneLine(last.text)}"`}`, 1900)
  return { png: drawn.asPng(), alt, name: 'timeline.png' }
}
