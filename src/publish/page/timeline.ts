import type { Millis } from '../../shared/types/common.ts'
import type { Finding } from '../finding.ts'
import { clip, duration, oneLine, utcTime } from '../words.ts'

const width = 1000
const rowHeight = 26
const left = 150
const right = 20
/** What page.css says of the classes, for a picture that stands alone. */
const ownStyle = 'text{font:13px "DejaVu Sans",sans-serif;fill:#222}.row{stroke:#bbb}.dot{fill:#2c6fbb}.span{fill:#2c6fbb;opacity:.6}'

/**
 * The timeline as plain SVG: one row a source, a mark for each thing that happened, the anchor
 * as a line. The same picture stands in the page and, as PNG, in the thread. '' without entries.
 */
export function timelineSvg ({ timeline, name }: Pick<Finding, 'timeline' | 'name'>, options: { standalone?: boolean } = {}): string {
  const entries = timeline.slice(-80)
  if (entries.length === 0) return ''
  const sources = [...new Set(entries.map(({ source }) => source))]
  const from = Math.min(...entries.map(({ time }) => time))
  const to = Math.max(...entries.map(({ time, last }) => last ?? time))
  const span = Math.max(1, to - from)
  const x = (time: Millis): number => Math.round(left + (time - from) / span * (width - left - right))
  const height = 40 + sources.length * rowHeight + 30
  const rows = sources.map((source, row) => {
    const y = 40 + row * rowHeight
    const marks = entries.filter(entry => entry.source === source).map(({ time, last, text, count }) => {
      const title = `<title>${escape(`${utcTime(time)} ${clip(oneLine(text), 200)}${(count ?? 1) > 1 ? ` (${count} times)` : ''}`)}</title>`
      return last !== undefined && x(last) > x(time) + 4
        ? `<rect class="span" x="${x(time)}" y="${y - 5}" width="${x(last) - x(time)}" height="10" rx="5">${title}</rect>`
        : `<circle class="dot" cx="${x(time)}" cy="${y}" r="5">${title}</circle>`
    })
    return `<text x="${left - 12}" y="${y + 4}" text-anchor="end">${escape(source)}</text><line class="row" x1="${left}" y1="${y}" x2="${width - right}" y2="${y}"/>${marks.join('')}`
  })
  const own = options.standalone === true ? `<style>${ownStyle}</style><rect width="${width}" height="${height}" fill="#fff"/>` : ''
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" class="timeline">${own}<title>${escape(`Timeline of ${name}`)}</title><desc>${escape(`${entries.length} entries over ${duration(span)}, ${utcTime(from)} to ${utcTime(to)}`)}</desc>${rows.join('')}<text x="${left}" y="${height - 8}">${utcTime(from)}</text><text x="${width - right}" y="${height - 8}" text-anchor="end">${utcTime(to)}</text></svg>`
}

function escape (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
